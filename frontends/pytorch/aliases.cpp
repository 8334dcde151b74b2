// Operators that PyTorch has under another name too, with the same arguments: their rows are those of the operator.
#include "frontends/pytorch/aliases.h"

namespace lapis::pytorch_frontend {
namespace {

constexpr Alias kAliases[] = {
    {"aten._unsafe_index", "aten.index"},
    {"aten._unsafe_index_put", "aten.index_put"},
    {"aten.absolute", "aten.abs"},
    {"aten.arccos", "aten.acos"},
    {"aten.arccosh", "aten.acosh"},
    {"aten.arcsin", "aten.asin"},
    {"aten.arcsinh", "aten.asinh"},
    {"aten.arctan", "aten.atan"},
    {"aten.arctan2", "aten.atan2"},
    {"aten.arctanh", "aten.atanh"},
    {"aten.concatenate", "aten.cat"},
    {"aten.divide", "aten.div"},
    {"aten.fix", "aten.trunc"},
    {"aten.greater", "aten.gt"},
    {"aten.greater_equal", "aten.ge"},
    {"aten.less", "aten.lt"},
    {"aten.less_equal", "aten.le"},
    {"aten.multiply", "aten.mul"},
    {"aten.negative", "aten.neg"},
    {"aten.not_equal", "aten.ne"},
    {"aten.row_stack", "aten.vstack"},
    {"aten.special_erf", "aten.erf"},
    {"aten.special_erfc", "aten.erfc"},
    {"aten.special_erfinv", "aten.erfinv"},
    {"aten.special_exp2", "aten.exp2"},
    {"aten.special_expit", "aten.sigmoid"},
    {"aten.special_expm1", "aten.expm1"},
    {"aten.special_log1p", "aten.log1p"},
    {"aten.special_log_softmax", "aten.log_softmax"},
    {"aten.special_logit", "aten.logit"},
    {"aten.special_logsumexp", "aten.logsumexp"},
    {"aten.special_round", "aten.round"},
    {"aten.special_sinc", "aten.sinc"},
    {"aten.special_softmax", "aten.softmax"},
    {"aten.special_xlogy", "aten.xlogy"},
    {"aten.subtract", "aten.sub"},
    {"aten.sym_is_contiguous", "aten.is_contiguous"},
    {"aten.unsafe_split_with_sizes", "aten.split_with_sizes"},
    {"prims.scalar_tensor", "aten.scalar_tensor"},
};

}  // namespace

std::span<const Alias> aliases() { return kAliases; }

}  // namespace lapis::pytorch_frontend
