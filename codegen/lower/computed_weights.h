// Products of two computed operands: the right one becomes what constant weights are, an image in the order in which
// kernels read it (codegen/kernels/blocking.h), by loops that run before the contraction.
#pragma once

#include "codegen/lower/lowering.h"

namespace lapis::codegen {

// True if the weights of a contraction are packed when it is compiled; else they are when it runs.
bool has_constant_weights(const Node& contraction);
// Zero point of weights that are packed at run time, as kernels see them: signed bytes.
// Its part of the sums is one number a pixel.
int32_t weight_zero_point(const Node& contraction);

// Emits the loops that pack `w`, [batches..., k, channels], for a contraction whose schedule is chosen,
// and sets c.computed.
void pack_at_run_time(Lowering& lowering, Contraction& c, const View& w);

}  // namespace lapis::codegen
