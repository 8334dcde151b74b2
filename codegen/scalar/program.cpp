#include "codegen/scalar/program.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"

namespace lapis::scalar {
namespace {

uint64_t hash_of(const Instr& i) {
  Hasher h;
  h.add(static_cast<uint64_t>(i.op) << 8 | static_cast<uint64_t>(i.type));
  for (const int32_t arg : i.args) h.add(static_cast<uint64_t>(arg));
  h.add(static_cast<uint64_t>(i.slot));
  h.add(i.imm.bits());
  h.add(i.imm2.bits());
  return h.value();
}

// Keeps what the marked instructions need, renumbered; where each went, -1 if nowhere.
std::vector<int32_t> keep(std::vector<Instr>& body, std::vector<bool> live) {
  for (size_t id = live.size(); id-- > 0;)
    for (const int32_t arg : body[id].args)
      if (live[id] && arg >= 0) live[static_cast<size_t>(arg)] = true;
  std::vector<int32_t> ids(body.size(), -1);
  std::vector<Instr> kept;
  for (size_t id = 0; id < live.size(); ++id) {
    if (!live[id]) continue;
    Instr instr = body[id];
    for (int32_t& arg : instr.args)
      if (arg >= 0) arg = ids[static_cast<size_t>(arg)];
    ids[id] = static_cast<int32_t>(kept.size());
    kept.push_back(instr);
  }
  body = std::move(kept);
  return ids;
}

}  // namespace

int Program::add(const Instr& instr) {
  const uint64_t hash = hash_of(instr);
  const auto [first, last] = known_.equal_range(hash);
  for (auto it = first; it != last; ++it)
    if (static_cast<size_t>(it->second) < instrs.size() && (*this)[it->second] == instr) return it->second;
  instrs.push_back(instr);
  const int id = static_cast<int>(instrs.size()) - 1;
  known_.emplace(hash, id);
  return id;
}

std::array<DType, 3> operand_types(const Instr& instr, const std::vector<Instr>& body) {
  std::array<DType, 3> types = {DType::Undefined, DType::Undefined, DType::Undefined};
  for (size_t a = 0; a < types.size(); ++a)
    if (instr.args[a] >= 0) types[a] = body[static_cast<size_t>(instr.args[a])].type;
  return types;
}

namespace {

// Orders a body from its end: of the instructions whose readers all stand already,
// the one that leaves the fewest values alive before it.
class Ordering {
 public:
  Ordering(const std::vector<Instr>& body, int result)
      : body_(body), left_(body.size(), 0), alive_(body.size(), false) {
    for (int32_t id = result; id >= 0; --id)
      if (id == result || left_[static_cast<size_t>(id)] > 0) for_each_operand(id, [&](size_t arg) { ++left_[arg]; });
    ready_ = {result};
  }
  std::vector<int32_t> run() {
    std::vector<int32_t> order;
    while (!ready_.empty()) {
      const auto best = std::ranges::min_element(ready_, {}, [&](int32_t id) { return std::pair(growth(id), -id); });
      const int32_t id = *best;
      ready_.erase(best);
      take(id);
      order.push_back(id);
    }
    std::ranges::reverse(order);
    return order;
  }

 private:
  // Each once.
  template <class F> void for_each_operand(int32_t id, F f) const {
    const auto& args = body_[static_cast<size_t>(id)].args;
    for (size_t a = 0; a < args.size(); ++a)
      if (args[a] >= 0 && std::find(args.begin(), args.begin() + static_cast<int64_t>(a), args[a]) ==
                              args.begin() + static_cast<int64_t>(a))
        f(static_cast<size_t>(args[a]));
  }
  bool in_register(size_t id) const { return body_[id].op != Op::Constant; }
  // How many more values are alive before the instruction than behind it.
  int growth(int32_t id) const {
    int more = in_register(static_cast<size_t>(id)) ? -1 : 0;
    for_each_operand(id, [&](size_t arg) { more += in_register(arg) && !alive_[arg]; });
    return more;
  }
  void take(int32_t id) {
    alive_[static_cast<size_t>(id)] = false;
    for_each_operand(id, [&](size_t arg) {
      alive_[arg] = true;
      if (--left_[arg] == 0) ready_.push_back(static_cast<int32_t>(arg));
    });
  }

  const std::vector<Instr>& body_;
  std::vector<int> left_;  // readers that do not stand yet
  std::vector<bool> alive_;
  std::vector<int32_t> ready_;
};

}  // namespace

std::vector<Instr> in_order_of_need(const std::vector<Instr>& body, int result) {
  std::vector<int32_t> ids(body.size(), -1);
  std::vector<Instr> ordered;
  for (const int32_t id : Ordering(body, result).run()) {
    Instr instr = body[static_cast<size_t>(id)];
    for (int32_t& arg : instr.args)
      if (arg >= 0) arg = ids[static_cast<size_t>(arg)];
    ids[static_cast<size_t>(id)] = static_cast<int32_t>(ordered.size());
    ordered.push_back(instr);
  }
  return ordered;
}

std::vector<Instr> without_dead(const std::vector<Instr>& body) {
  std::vector<Instr> result = body;
  std::vector<bool> live(body.size(), false);
  live.front() = live.back() = true;
  keep(result, std::move(live));
  return result;
}

void remove_dead(Loop::Phase& phase) {
  std::vector<bool> live(phase.body.size(), false);
  for (const Loop::Store& s : phase.stores) live[static_cast<size_t>(s.value)] = true;
  for (const Loop::Reduction& r : phase.reductions) live[static_cast<size_t>(r.value)] = true;
  const std::vector<int32_t> ids = keep(phase.body, std::move(live));
  for (Loop::Store& s : phase.stores) s.value = ids[static_cast<size_t>(s.value)];
  for (Loop::Reduction& r : phase.reductions) r.value = ids[static_cast<size_t>(r.value)];
}

}  // namespace lapis::scalar
