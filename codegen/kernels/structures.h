// What the rows of codegen/x86/rows.cpp are made of, but for their emitters: which contractions they take, how many
// registers and cycles a tile needs.
#pragma once

#include "codegen/kernels/table.h"

namespace lapis::kernels {

// Sums over channels, dense or grouped, in vector registers.
std::optional<Misfit> fits_panels(const Kernel& kernel, const Contraction& c);
int most_pixels_of_panels(const Kernel& kernel, const Contraction& c, int nr);
double panel_tile_cycles(const Kernel& kernel, double steps, double epilogue, int mr, int nr);

// The same in tile registers of 16 pixels.
int most_pixels_of_tiles(const Kernel& kernel, const Contraction& c, int nr);
double matrix_tile_cycles(const Kernel& kernel, double rounds, double epilogue, int mr, int nr);

// One input channel per output channel.
std::optional<Misfit> fits_depthwise(const Kernel& kernel, const Contraction& c);
int most_pixels_of_taps(const Kernel& kernel, const Contraction& c, int nr);
int most_pixels_interleaved(const Kernel& kernel, const Contraction& c, int nr);
double taps_tile_cycles(const Kernel& kernel, double taps, double epilogue, int mr, int nr);
double interleaved_tile_cycles(const Kernel& kernel, double taps, double epilogue, int mr, int nr);

// Vectors of weights that an interleaved row keeps in registers for a whole unit; 0: it reads them where it needs them.
int resident_weights(const Kernel& kernel, const Contraction& c);

}  // namespace lapis::kernels
