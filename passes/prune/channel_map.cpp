#include "passes/prune/channel_map.h"

#include <algorithm>
#include <cstring>

#include "ir/infer.h"
#include "ir/ops/attributes.h"
#include "ir/ops/data_attributes.h"
#include "ir/ops/loops.h"
#include "ir/ops/ops.h"
#include "passes/simplify/facts.h"

namespace lapis {

namespace {

// The slices of a constant at some positions of an axis.
Tensor taken(const Tensor& t, int64_t axis, const std::vector<int64_t>& positions) {
  Shape shape = t.shape();
  shape[static_cast<size_t>(axis)] = static_cast<int64_t>(positions.size());
  Tensor result(t.dtype(), shape);
  int64_t outer = 1, inner = 1;
  for (int64_t a = 0; a < axis; ++a) outer *= t.dim(a);
  for (int64_t a = axis + 1; a < t.rank(); ++a) inner *= t.dim(a);
  const auto run = static_cast<size_t>(byte_size(t.dtype(), inner));
  std::byte* to = result.mutable_raw();
  for (int64_t o = 0; o < outer; ++o)
    for (const int64_t p : positions) {
      std::memcpy(to, t.raw() + static_cast<size_t>(o * t.dim(axis) + p) * run, run);
      to += run;
    }
  return result;
}

int64_t normalized(int64_t axis, int64_t rank) { return axis < 0 ? axis + rank : axis; }

std::string described(const Node& node) { return "'" + node.name() + "' (" + std::string(node.op().name) + ")"; }

// How many of the positions lie before `end`.
int64_t count_before(const std::vector<int64_t>& positions, int64_t end) {
  return std::lower_bound(positions.begin(), positions.end(), end) - positions.begin();
}

}  // namespace

// ---- numbers --------------------------------------------------------------------------------------------------------

int ChannelMap::joined(int id) const {
  auto& p = parent_;
  while (p[static_cast<size_t>(id)] != id)
    id = p[static_cast<size_t>(id)] = p[static_cast<size_t>(p[static_cast<size_t>(id)])];
  return id;
}

const std::string* ChannelMap::holds(int id) const {
  const std::string& reason = held_[static_cast<size_t>(joined(id))];
  return reason.empty() ? nullptr : &reason;
}

std::vector<int> ChannelMap::fresh(int64_t count) {
  std::vector<int> ids;
  for (int64_t i = 0; i < count; ++i) {
    ids.push_back(static_cast<int>(parent_.size()));
    parent_.push_back(ids.back());
    held_.emplace_back();
  }
  return ids;
}

void ChannelMap::join(const std::vector<int>& a, const std::vector<int>& b) {
  LAPIS_ASSERT(a.size() == b.size(), a.size() << " channels meet " << b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    const int x = joined(a[i]), y = joined(b[i]);
    if (x == y) continue;
    parent_[static_cast<size_t>(y)] = x;
    if (held_[static_cast<size_t>(x)].empty()) held_[static_cast<size_t>(x)] = held_[static_cast<size_t>(y)];
  }
}

void ChannelMap::hold(const std::vector<int>& ids, const std::string& reason) {
  for (const int id : ids)
    if (std::string& held = held_[static_cast<size_t>(joined(id))]; held.empty()) held = reason;
}

void ChannelMap::hold_all(Node& node, const std::string& reason) {
  for (const Value* v : node.inputs())
    if (const Channels* c = v ? of(v) : nullptr) hold(c->ids, reason);
}

void ChannelMap::hold_reads(Node& node) { hold_all(node, "read by " + described(node)); }

const ChannelMap::Channels* ChannelMap::of(const Value* v) const {
  const auto it = channels_.find(v);
  return it == channels_.end() ? nullptr : &it->second;
}

void ChannelMap::track(Value* v, int64_t axis, std::vector<int> ids) { channels_[v] = {axis, std::move(ids)}; }

// ---- edits ----------------------------------------------------------------------------------------------------------

void ChannelMap::edit(const std::vector<int>& ids, std::function<void(const std::vector<int64_t>& stay)> change) {
  edits_.push_back([ids, change = std::move(change)](const Stay& stay) {
    const std::vector<int64_t> positions = stay(ids);
    if (positions.size() < ids.size()) change(positions);
  });
}

void ChannelMap::shrink(Node& node, size_t operand, int64_t axis, const std::vector<int>& ids) {
  edit(ids, [this, &node, operand, axis](const std::vector<int64_t>& stay) {
    const Value* v = node.input(operand);
    node.set_input(operand, graph_.add_constant(taken(v->constant(), axis, stay), v->name() + "_pruned"));
  });
}

// One value for each channel in the last axis, or one for all.
void ChannelMap::shrink_bias(Node& node, size_t operand, const std::vector<int>& ids) {
  const Value* v = node.input(operand);
  if (v && v->constant().rank() > 0 && v->constant().dim(-1) == static_cast<int64_t>(ids.size()))
    shrink(node, operand, v->constant().rank() - 1, ids);
}

void ChannelMap::edit_ints(Node& node, size_t operand, const std::vector<int>& ids,
                           std::function<void(std::vector<int64_t>& ints, const std::vector<int64_t>& stay)> change) {
  edit(ids, [this, &node, operand, change = std::move(change)](const std::vector<int64_t>& stay) {
    const Value* v = node.input(operand);
    std::vector<int64_t> ints = v->constant().as_ints();
    change(ints, stay);
    Tensor tensor = ops::from_integers(v->dtype(), v->constant().shape(), std::move(ints));
    node.set_input(operand, graph_.add_constant(std::move(tensor), v->name() + "_pruned"));
  });
}

void ChannelMap::remove(const std::function<bool(int joined)>& gone) {
  const Stay stay = [&](const std::vector<int>& ids) {
    std::vector<int64_t> positions;
    for (size_t i = 0; i < ids.size(); ++i)
      if (!gone(joined(ids[i]))) positions.push_back(static_cast<int64_t>(i));
    return positions;
  };
  for (const auto& change : edits_) change(stay);
  graph_.erase_unused_constants();
  for (Node* node : graph_.nodes())
    for (Value* v : node->outputs())
      if (v && !v->is_graph_output()) v->set_type({});
  const Status inferred = infer_types(graph_);
  LAPIS_ASSERT(inferred.ok(), to_string(inferred.diagnostics()));
}

// ---- which operator does what ---------------------------------------------------------------------------------------

ChannelMap::ChannelMap(Graph& graph) : graph_(graph) {
  for (Node* node : graph.nodes()) (this->*handler(*node))(*node);
  hold_ends();
}

ChannelMap::Handler ChannelMap::handler(const Node& node) {
  static const std::unordered_map<const OpDef*, Handler> kHandlers = {
      {&ops::Conv, &ChannelMap::convolution},
      {&ops::Gemm, &ChannelMap::product},
      {&ops::MatMul, &ChannelMap::product},
      {&ops::BatchNormalization, &ChannelMap::batch_norm},
      {&ops::MaxPool, &ChannelMap::window},
      {&ops::AveragePool, &ChannelMap::window},
      {&ops::GlobalAveragePool, &ChannelMap::window},
      {&ops::GlobalMaxPool, &ChannelMap::window},
      {&ops::Softmax, &ChannelMap::same_axes},
      {&ops::LogSoftmax, &ChannelMap::same_axes},
      {&ops::Concat, &ChannelMap::concat},
      {&ops::Slice, &ChannelMap::slice},
      {&ops::Pad, &ChannelMap::pad},
      {&ops::Split, &ChannelMap::split},
      {&ops::Transpose, &ChannelMap::transpose},
      {&ops::Reshape, &ChannelMap::reshape},
      {&ops::Flatten, &ChannelMap::reshape},
      {&ops::Squeeze, &ChannelMap::reshape},
      {&ops::Unsqueeze, &ChannelMap::reshape},
      {&ops::ReduceMean, &ChannelMap::reduce},
      {&ops::ReduceSum, &ChannelMap::reduce},
      {&ops::ReduceMax, &ChannelMap::reduce},
      {&ops::ReduceMin, &ChannelMap::reduce},
      {&ops::Resize, &ChannelMap::resize},
  };
  const auto it = kHandlers.find(&node.op());
  if (it != kHandlers.end()) return it->second;
  return node.op().has(Trait::Elementwise) ? &ChannelMap::elementwise : &ChannelMap::hold_reads;
}

// What the model gives away, or bodies of control flow see.
void ChannelMap::hold_ends() {
  for (const auto& [v, channels] : channels_) {
    if (v->is_graph_output()) hold(channels.ids, "output '" + v->name() + "' of the model");
    for (const Use& use : v->uses())
      if (&use.node->graph() != &graph_) hold(channels.ids, "read in a body of control flow");
  }
}

// ---- contractions ---------------------------------------------------------------------------------------------------

void ChannelMap::read_by(const WeightMatrix& m, int64_t input_axis) {
  const Channels* in = of(m.node->input(0));
  if (!in) return;
  if (in->axis != input_axis) return hold_reads(*m.node);
  readers_.push_back({m, in->ids});
  shrink(*m.node, 1, m.input_axis, in->ids);
}

void ChannelMap::produced_by(const WeightMatrix& m, int64_t output_axis, const std::vector<int>& ids) {
  const Value* bias = m.node->input(2);
  if (bias && !bias->is_constant()) {
    refused_[m.node] = "its bias is computed";
    return;
  }
  producers_.push_back({m, ids});
  shrink(*m.node, 1, m.output_axis, ids);
  if (bias) shrink_bias(*m.node, 2, ids);
  track(m.node->output(), output_axis, ids);
}

void ChannelMap::dense(const WeightMatrix& m, int64_t input_axis, int64_t output_axis) {
  read_by(m, input_axis);
  produced_by(m, output_axis, fresh(m.rows()));
}

void ChannelMap::convolution(Node& node) {
  const auto m = weight_matrix(node);
  if (!m.ok()) {
    refused_[&node] = m.diagnostics()[0].message;
    return hold_reads(node);
  }
  if (m->groups == 1) return dense(*m, 1, 1);
  m->channels == 1 ? depthwise(*m) : grouped(*m);
}

// An output channel is that of the input that it comes from.
void ChannelMap::depthwise(const WeightMatrix& m) {
  const Channels* in = of(m.node->input(0));
  if (!in) {
    refused_[m.node] = "each of its channels is one of '" + m.node->input(0)->name() + "', which stay";
    return;
  }
  if (in->axis != 1 || (m.node->input(2) && !m.node->input(2)->is_constant())) return hold_reads(*m.node);
  std::vector<int> ids;
  for (const int id : in->ids) ids.insert(ids.end(), static_cast<size_t>(m.outputs), id);
  edit(in->ids, [node = m.node](const std::vector<int64_t>& stay) {
    node->set_attribute("group", static_cast<int64_t>(stay.size()));
  });
  produced_by(m, 1, ids);
}

// All groups lose the same channels, so that they stay equal.
void ChannelMap::grouped(const WeightMatrix& m) {
  const auto equal_groups = [&](const std::vector<int>& ids) {
    const auto size = static_cast<std::ptrdiff_t>(ids.size()) / m.groups;
    const std::vector<int> first(ids.begin(), ids.begin() + size);
    for (int64_t g = 1; g < m.groups; ++g) join(first, {ids.begin() + g * size, ids.begin() + (g + 1) * size});
    return first;
  };
  if (const Channels* in = of(m.node->input(0))) {
    if (in->axis != 1) return hold_reads(*m.node);
    shrink(*m.node, 1, m.input_axis, equal_groups(in->ids));
  }
  const std::vector<int> ids = fresh(m.rows());
  equal_groups(ids);
  produced_by(m, 1, ids);
}

void ChannelMap::product(Node& node) {
  const auto m = weight_matrix(node);
  const bool turned = node.is(ops::Gemm) && node.attrs<ops::GemmAttrs>().transA;
  const Type &in = node.input(0)->type(), &out = node.output()->type();
  if (!m.ok() || turned || !in.ranked() || !out.ranked() || in.rank() != out.rank()) {
    refused_[&node] = m.ok() ? "A is transposed, or of unknown rank" : m.diagnostics()[0].message;
    return hold_reads(node);
  }
  dense(*m, in.rank() - 1, out.rank() - 1);
}

// ---- elementwise ----------------------------------------------------------------------------------------------------

// The operand with most channels.
const ChannelMap::Channels* ChannelMap::widest(const Node& node, const Value*& operand) const {
  const Channels* lead = nullptr;
  for (const Value* v : node.inputs()) {
    const Channels* c = v ? of(v) : nullptr;
    if (!c || (lead && lead->ids.size() >= c->ids.size())) continue;
    lead = c;
    operand = v;
  }
  return lead;
}

void ChannelMap::elementwise(Node& node) {
  const Value* widest_operand = nullptr;
  const Channels* lead = widest(node, widest_operand);
  if (!lead) return;
  const Type& out = node.output()->type();
  if (!out.ranked()) return hold_reads(node);
  const int64_t axis = lead->axis + out.rank() - widest_operand->type().rank();
  if (!operands_agree(node, *lead, axis, out.rank())) return hold_reads(node);
  const std::vector<int> ids = lead->ids;
  for (size_t i = 0; i < node.inputs().size(); ++i)
    if (node.input(i)) meet(node, i, axis - out.rank() + node.input(i)->type().rank(), ids);
  for (Value* v : node.outputs())
    if (v) track(v, axis, ids);
}

// An operand whose axis `own` meets these channels.
void ChannelMap::meet(Node& node, size_t operand, int64_t own, const std::vector<int>& ids) {
  const Value* v = node.input(operand);
  if (v->is_constant() && own >= 0 && v->constant().dim(own) > 1) shrink(node, operand, own, ids);
  const Channels* c = of(v);
  if (!c) return;
  if (c->ids.size() == ids.size())
    join(ids, c->ids);
  else
    hold(c->ids, "broadcast by " + described(node));
}

// Every operand has these channels in that axis of the result, or a single number.
bool ChannelMap::operands_agree(Node& node, const Channels& lead, int64_t axis, int64_t rank) {
  const auto count = static_cast<int64_t>(lead.ids.size());
  return std::all_of(node.inputs().begin(), node.inputs().end(), [&](const Value* v) {
    if (!v) return true;
    if (!v->type().ranked()) return false;
    const int64_t own = axis - rank + v->type().rank();
    const bool one = own < 0 || v->type().dim(own).is(1);
    if (v->is_constant()) return one || (v->type().dim(own).is(count) && count > 1);
    const Channels* c = of(v);
    return one || (c && c->axis == own && static_cast<int64_t>(c->ids.size()) == count);
  });
}

void ChannelMap::batch_norm(Node& node) {
  const Channels* in = of(node.input(0));
  if (!in) return;
  const auto is_parameter = [](const Value* v) { return v->is_constant(); };
  if (in->axis != 1 || !std::all_of(node.inputs().begin() + 1, node.inputs().end(), is_parameter))
    return hold_reads(node);
  for (size_t i = 1; i < node.inputs().size(); ++i) shrink(node, i, 0, in->ids);
  track(node.output(), 1, in->ids);
}

// ---- one operand, whose axes stay where they are --------------------------------------------------------------------

void ChannelMap::window(Node& node) {
  const Channels* in = of(node.input(0));
  if (!in) return;
  if (in->axis != 1 || node.output(1)) return hold_reads(node);
  track(node.output(), 1, in->ids);
}

// Softmax over another axis.
void ChannelMap::same_axes(Node& node) {
  const Channels* in = of(node.input(0));
  if (!in) return;
  if (normalized(node.attrs<ops::SoftmaxAttrs>().axis, node.input(0)->type().rank()) == in->axis)
    return hold_reads(node);
  track(node.output(), in->axis, in->ids);
}

void ChannelMap::resize(Node& node) {
  const Channels* in = of(node.input(0));
  if (!in) return;
  const Value *scales = node.input(2), *sizes = node.input(3);
  const bool by_scales = scales && scales->is_constant() && node.attrs<ops::ResizeAttrs>().axes.empty() &&
                         scales->constant().as_double(in->axis) == 1;
  const bool by_sizes = sizes && sizes->is_constant() && node.attrs<ops::ResizeAttrs>().axes.empty() &&
                        sizes->constant().as_int(in->axis) == static_cast<int64_t>(in->ids.size());
  if (!by_scales && !by_sizes) return hold_reads(node);
  if (by_sizes)
    edit_ints(node, 3, in->ids, [axis = static_cast<size_t>(in->axis)](auto& ints, const auto& stay) {
      ints[axis] = static_cast<int64_t>(stay.size());
    });
  track(node.output(), in->axis, in->ids);
}

// ---- movement -------------------------------------------------------------------------------------------------------

void ChannelMap::concat(Node& node) {
  const Type& out = node.output()->type();
  const Channels* any = nullptr;
  for (const Value* v : node.inputs()) any = any ? any : of(v);
  if (!any) return;
  const int64_t axis = any->axis;
  const bool along = out.ranked() && normalized(node.attrs<ops::ConcatAttrs>().axis, out.rank()) == axis;
  std::vector<int> ids;
  for (size_t i = 0; i < node.inputs().size(); ++i) {
    const Value* v = node.input(i);
    const Channels* c = of(v);
    const bool known = v->type().ranked() && v->type().dim(axis).is_constant();
    if (c ? c->axis != axis : !along || !known) return hold_reads(node);
    std::vector<int> own = c ? c->ids : fresh(v->type().dim(axis).value());
    if (!c) hold(own, "'" + v->name() + "' stays whole");
    if (!along && !ids.empty()) {
      join(ids, own);
    } else {
      ids.insert(ids.end(), own.begin(), own.end());
    }
  }
  track(node.output(), axis, ids);
}

void ChannelMap::slice(Node& node) {
  const Channels* in = of(node.input(0));
  if (!in) return;
  const auto starts = facts::ints(node.input(1)), ends = facts::ints(node.input(2)), steps = facts::ints(node.input(4));
  auto axes = facts::ints(node.input(3));
  if (!starts || !ends || (node.input(3) && !axes) || (node.input(4) && !steps)) return hold_reads(node);
  const int64_t axis = in->axis, count = static_cast<int64_t>(in->ids.size());
  std::vector<int> ids = in->ids;
  for (size_t i = 0; i < starts->size(); ++i) {
    const int64_t of_axis = axes ? normalized((*axes)[i], node.input(0)->type().rank()) : static_cast<int64_t>(i);
    if (of_axis != axis) continue;
    if (steps && (*steps)[i] != 1) return hold_reads(node);
    const auto within = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + count : at, 0, count); };
    const int64_t from = within((*starts)[i]), to = std::max(within((*ends)[i]), from);
    ids.assign(in->ids.begin() + from, in->ids.begin() + to);
    for (const auto& [operand, end] : {std::pair(size_t{1}, from), std::pair(size_t{2}, to)})
      edit_ints(node, operand, in->ids,
                [i, end = end](auto& ints, const auto& stay) { ints[i] = count_before(stay, end); });
  }
  track(node.output(), axis, std::move(ids));
}

void ChannelMap::pad(Node& node) {
  const Channels* in = of(node.input(0));
  if (!in) return;
  const auto pads = facts::ints(node.input(1));
  const int64_t rank = node.input(0)->type().rank(), axis = in->axis;
  if (!pads || node.input(3) || static_cast<int64_t>(pads->size()) != 2 * rank) return hold_reads(node);
  const size_t begin = static_cast<size_t>(axis), end = static_cast<size_t>(axis + rank);
  const int64_t before = (*pads)[begin], behind = (*pads)[end];
  const bool around = before != 0 || behind != 0;
  if (before < 0 || behind < 0 || (around && node.attrs<ops::PadAttrs>().mode != "constant")) return hold_reads(node);
  const std::vector<int> in_front = fresh(before), after = fresh(behind);
  for (const auto& [place, own] : {std::pair(begin, in_front), std::pair(end, after)})
    edit_ints(node, 1, own,
              [place = place](auto& ints, const auto& stay) { ints[place] = static_cast<int64_t>(stay.size()); });
  std::vector<int> ids = in_front;
  ids.insert(ids.end(), in->ids.begin(), in->ids.end());
  ids.insert(ids.end(), after.begin(), after.end());
  track(node.output(), axis, std::move(ids));
}

void ChannelMap::split(Node& node) {
  const Channels* in = of(node.input(0));
  if (!in) return;
  const std::vector<int> all = in->ids;
  const int64_t axis = in->axis;
  const bool along = normalized(node.attrs<ops::SplitAttrs>().axis, node.input(0)->type().rank()) == axis;
  const auto sizes = facts::ints(node.input(1));
  if (along && !sizes) return hold_reads(node);
  auto at = all.begin();
  for (size_t i = 0; i < node.outputs().size(); ++i) {
    const std::vector<int> own = along ? std::vector<int>(at, at + (*sizes)[i]) : all;
    if (along) at += (*sizes)[i];
    if (along)
      edit_ints(node, 1, own, [i](auto& ints, const auto& stay) { ints[i] = static_cast<int64_t>(stay.size()); });
    if (node.output(i)) track(node.output(i), axis, own);
  }
}

void ChannelMap::transpose(Node& node) {
  const Channels* in = of(node.input(0));
  if (!in) return;
  const std::vector<int64_t> perm = facts::permutation_of(node);
  track(node.output(), std::find(perm.begin(), perm.end(), in->axis) - perm.begin(), in->ids);
}

// Channels stay an axis of their own, or become one with all that lies behind it.
void ChannelMap::reshape(Node& node) {
  const Channels* in = of(node.input(0));
  if (!in) return;
  const Type &from = node.input(0)->type(), &to = node.output()->type();
  const int64_t axis = in->axis, count = static_cast<int64_t>(in->ids.size());
  const auto same = [&](int64_t a) { return from.dim(a) == to.dim(a); };
  if (!to.ranked() || to.rank() <= axis || !to.dim(axis).is_constant()) return hold_reads(node);
  for (int64_t a = 0; a < axis; ++a)
    if (!same(a)) return hold_reads(node);
  const int64_t inner = to.dim(axis).value() / std::max<int64_t>(count, 1);
  const bool flat = to.rank() == axis + 1 && inner * count == to.dim(axis).value();
  if (!flat && inner != 1) return hold_reads(node);
  std::vector<int> ids;
  for (const int id : in->ids) ids.insert(ids.end(), static_cast<size_t>(inner), id);
  if (node.is(ops::Reshape)) {
    if (!node.input(1)->is_constant()) return hold_reads(node);
    edit_ints(node, 1, ids, [at = static_cast<size_t>(axis)](auto& ints, const auto& stay) {
      if (ints[at] > 0) ints[at] = static_cast<int64_t>(stay.size());
    });
  }
  track(node.output(), axis, std::move(ids));
}

void ChannelMap::reduce(Node& node) {
  const Channels* in = of(node.input(0));
  if (!in) return;
  const auto axes = facts::axes_of(node, 1, node.input(0)->type().rank());
  if (!axes || std::count(axes->begin(), axes->end(), in->axis)) return hold_reads(node);
  const bool kept = node.attrs<ops::ReduceAttrs>().keepdims;
  const auto before = std::count_if(axes->begin(), axes->end(), [&](int64_t a) { return a < in->axis; });
  track(node.output(), in->axis - (kept ? 0 : before), in->ids);
}

}  // namespace lapis
