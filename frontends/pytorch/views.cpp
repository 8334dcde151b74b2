#include "frontends/pytorch/views.h"

#include <algorithm>

namespace lapis::pytorch_frontend {
namespace {

struct ViewRow {
  std::string_view op;
  Shares shares;
};
constexpr ViewRow kViews[] = {
    {"aten.H", Shares::Perhaps},
    {"aten._conj", Shares::Perhaps},
    {"aten._reshape_alias", Shares::Perhaps},
    {"aten._unsafe_view", Shares::Perhaps},
    {"aten.adjoint", Shares::Perhaps},
    {"aten.alias", Shares::All},
    {"aten.alpha_dropout", Shares::Perhaps},
    {"aten.as_strided", Shares::Perhaps},
    {"aten.atleast_1d", Shares::Perhaps},
    {"aten.atleast_2d", Shares::Perhaps},
    {"aten.atleast_3d", Shares::Perhaps},
    {"aten.bool", Shares::Perhaps},
    {"aten.broadcast_tensors", Shares::Perhaps},
    {"aten.broadcast_to", Shares::All},
    {"aten.chunk", Shares::Parts},
    {"aten.contiguous", Shares::Perhaps},
    {"aten.cpu", Shares::Perhaps},
    {"aten.cuda", Shares::Perhaps},
    {"aten.detach", Shares::All},
    {"aten.diagonal", Shares::All},
    {"aten.double", Shares::Perhaps},
    {"aten.dropout", Shares::Perhaps},
    {"aten.dsplit", Shares::Parts},
    {"aten.expand", Shares::All},
    {"aten.expand_as", Shares::All},
    {"aten.feature_alpha_dropout", Shares::Perhaps},
    {"aten.feature_dropout", Shares::Perhaps},
    {"aten.flatten", Shares::Perhaps},
    {"aten.float", Shares::Perhaps},
    {"aten.half", Shares::Perhaps},
    {"aten.hsplit", Shares::Parts},
    {"aten.imag", Shares::Perhaps},
    {"aten.int", Shares::Perhaps},
    {"aten.lift", Shares::Perhaps},
    {"aten.lift_fresh", Shares::Perhaps},
    {"aten.linalg_diagonal", Shares::Perhaps},
    {"aten.long", Shares::Perhaps},
    {"aten.mH", Shares::Perhaps},
    {"aten.mT", Shares::All},
    {"aten.matrix_H", Shares::Perhaps},
    {"aten.meshgrid", Shares::Perhaps},
    {"aten.moveaxis", Shares::All},
    {"aten.movedim", Shares::All},
    {"aten.narrow", Shares::All},
    {"aten.native_dropout", Shares::Perhaps},
    {"aten.numpy_T", Shares::All},
    {"aten.permute", Shares::All},
    {"aten.positive", Shares::All},
    {"aten.ravel", Shares::Perhaps},
    {"aten.real", Shares::Perhaps},
    {"aten.reshape", Shares::Perhaps},
    {"aten.reshape_as", Shares::Perhaps},
    {"aten.resolve_conj", Shares::Perhaps},
    {"aten.resolve_neg", Shares::Perhaps},
    {"aten.select", Shares::All},
    {"aten.slice", Shares::All},
    {"aten.split", Shares::Parts},
    {"aten.split_with_sizes", Shares::Parts},
    {"aten.squeeze", Shares::All},
    {"aten.swapaxes", Shares::All},
    {"aten.swapdims", Shares::All},
    {"aten.t", Shares::All},
    {"aten.tensor_split", Shares::Parts},
    {"aten.to", Shares::Perhaps},
    {"aten.transpose", Shares::All},
    {"aten.type_as", Shares::Perhaps},
    {"aten.unbind", Shares::Parts},
    {"aten.unflatten", Shares::All},
    {"aten.unfold", Shares::All},
    {"aten.unsafe_chunk", Shares::Parts},
    {"aten.unsafe_split", Shares::Parts},
    {"aten.unsafe_split_with_sizes", Shares::Parts},
    {"aten.unsqueeze", Shares::All},
    {"aten.view", Shares::All},
    {"aten.view_as", Shares::All},
    {"aten.view_as_complex", Shares::Perhaps},
    {"aten.view_as_real", Shares::Perhaps},
    {"aten.vsplit", Shares::Parts},
};

}  // namespace

Shares shares_of(std::string_view op) {
  const auto* row = std::find_if(std::begin(kViews), std::end(kViews), [&](const ViewRow& r) { return r.op == op; });
  return row == std::end(kViews) ? Shares::Nothing : row->shares;
}

}  // namespace lapis::pytorch_frontend
