#include "frontends/pytorch/pickle.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <tuple>
#include <unordered_map>

#include "frontends/pytorch/tensors.h"
#include "frontends/pytorch/types.h"

namespace lapis::pytorch_frontend {
namespace {

using Kind = Item::Kind;

constexpr int kMostDepth = 100;

// What a pickle may name beside classes of TorchScript: a call of such a function has a meaning that we know.
constexpr std::string_view kCallable[] = {"collections OrderedDict",
                                          "torch._tensor _rebuild_from_type_v2",
                                          "torch._utils _rebuild_parameter",
                                          "torch._utils _rebuild_qtensor",
                                          "torch._utils _rebuild_tensor_v2",
                                          "torch._utils _rebuild_wrapper_subclass",
                                          "torch.jit._pickle build_boollist",
                                          "torch.jit._pickle build_doublelist",
                                          "torch.jit._pickle build_intlist",
                                          "torch.jit._pickle build_tensorlist",
                                          "torch.jit._pickle restore_type_tag",
                                          "torch.serialization _get_layout"};

// What says how a tensor is quantized, and is of no use here: types of elements, and torchao's settings.
bool is_description(const std::string& name) {
  constexpr std::string_view kTypes[] = {"float", "bfloat", "int", "uint", "bool"}, kTorch = "torch ";
  if (name.starts_with("torchao.")) return true;
  if (!name.starts_with(kTorch)) return false;
  const std::string_view type = std::string_view(name).substr(kTorch.size());
  const std::string_view word = type.substr(0, type.find_last_not_of("0123456789") + 1);
  return std::find(std::begin(kTypes), std::end(kTypes), word) != std::end(kTypes);
}

bool may_be_named(const std::string& name) {
  if (name.starts_with("__torch__") || name == "torch device" || is_description(name)) return true;
  if (name.starts_with("torch ") && (name.ends_with("Storage") || name.ends_with("_affine"))) return true;
  return std::find(std::begin(kCallable), std::end(kCallable), name) != std::end(kCallable);
}

Diagnostic damaged(const std::string& what) {
  return error(ErrorKind::Input, "the pickle is damaged: " + what).help("copy or save the model again");
}

class Machine {
 public:
  Machine(std::span<const std::byte> bytes, const Storages& storages, frontend::Expansion& copies)
      : bytes_(bytes), storages_(storages), copies_(copies) {}

  Result<Item> run() {
    for (;;) {
      LAPIS_TRY(const auto code, number<uint8_t>());
      if (code == '.') break;
      LAPIS_CHECK(step(static_cast<char>(code)));
      if (depth_ > kMostDepth) return damaged("objects are nested more than " + std::to_string(kMostDepth) + " deep");
    }
    LAPIS_TRY(Entry result, pop());
    return std::move(result.item);
  }

 private:
  // How deep an item is nested, and whether another holds it already: only what nobody holds may grow, so that nothing
  // can hold itself. One for all that refer to the item.
  struct State {
    int depth = 0;
    bool is_held = false;
  };
  struct Storage {
    int number = 0;
    std::map<std::tuple<DType, int64_t, Shape, Shape>, Item> tensors;  // by offset, sizes and strides
  };
  struct Entry {
    Item item = {};
    std::shared_ptr<State> state = {};
    bool is_mark = false;
  };
  using Step = Status (Machine::*)();
  struct Row {
    char code;
    Step step;
  };

  static std::span<const Row> rows() {
    static constexpr Row kRows[] = {
        {'\x80', &Machine::protocol},
        {'(', &Machine::mark},
        {'0', &Machine::drop},
        {'N', &Machine::none},
        {'\x88', &Machine::yes},
        {'\x89', &Machine::no},
        {'K', &Machine::integer<uint8_t>},
        {'M', &Machine::integer<uint16_t>},
        {'J', &Machine::integer<int32_t>},
        {'\x8a', &Machine::long_integer},
        {'G', &Machine::real},
        {'X', &Machine::string<uint32_t>},
        {'\x8c', &Machine::string<uint8_t>},
        {'U', &Machine::string<uint8_t>},
        {'T', &Machine::string<uint32_t>},
        {']', &Machine::empty<Kind::List>},
        {')', &Machine::empty<Kind::Tuple>},
        {'}', &Machine::empty<Kind::Dict>},
        {'t', &Machine::tuple},
        {'\x85', &Machine::tuple_of<1>},
        {'\x86', &Machine::tuple_of<2>},
        {'\x87', &Machine::tuple_of<3>},
        {'a', &Machine::append},
        {'e', &Machine::appends},
        {'s', &Machine::set_item},
        {'u', &Machine::set_items},
        {'q', &Machine::put<uint8_t>},
        {'r', &Machine::put<uint32_t>},
        {'h', &Machine::get<uint8_t>},
        {'j', &Machine::get<uint32_t>},
        {'\x94', &Machine::memoize},
        {'c', &Machine::global},
        {'R', &Machine::reduce},
        {'\x81', &Machine::new_object},
        {'b', &Machine::build},
        {'Q', &Machine::persistent},
    };
    return kRows;
  }

  Status step(char code) {
    for (const Row& row : rows())
      if (row.code == code) return (this->*row.step)();
    return damaged("it has the instruction " + std::to_string(static_cast<unsigned char>(code)) + " at byte " +
                   std::to_string(at_ - 1) + ", which no model needs");
  }

  // ---- bytes --------------------------------------------------------------------------------------------------------

  Result<std::string_view> take(uint64_t count) {
    if (count > bytes_.size() - at_) return damaged("it ends at byte " + std::to_string(bytes_.size()));
    const std::string_view part(reinterpret_cast<const char*>(bytes_.data()) + at_, count);
    at_ += count;
    return part;
  }

  template <class T> Result<T> number() {
    LAPIS_TRY(const std::string_view part, take(sizeof(T)));
    T value;
    std::memcpy(&value, part.data(), sizeof value);
    return value;
  }

  Result<std::string> line() {
    const std::string_view all(reinterpret_cast<const char*>(bytes_.data()), bytes_.size());
    const size_t end = all.find('\n', at_);
    if (end == std::string_view::npos) return damaged("a name has no end");
    std::string text(all.substr(at_, end - at_));
    at_ = end + 1;
    return text;
  }

  // ---- the stack ----------------------------------------------------------------------------------------------------

  Status push(Item item) { return push(std::move(item), State{}); }
  Status push(Item item, State state) {
    stack_.push_back({std::move(item), std::make_shared<State>(state)});
    return ok();
  }

  Result<Entry> pop() {
    if (stack_.empty() || stack_.back().is_mark) return damaged("an instruction has no operand");
    Entry top = std::move(stack_.back());
    stack_.pop_back();
    return top;
  }

  // What lies above the last mark, which goes with it.
  Result<std::vector<Entry>> pop_to_mark() {
    size_t at = stack_.size();
    while (at > 0 && !stack_[at - 1].is_mark) --at;
    if (at == 0) return damaged("a list has no beginning");
    std::vector<Entry> above(std::make_move_iterator(stack_.begin() + static_cast<ptrdiff_t>(at)),
                             std::make_move_iterator(stack_.end()));
    stack_.resize(at - 1);
    return above;
  }

  // Puts items into the container on top of the stack.
  Status fill(std::vector<Entry> items, Kind kind) {
    if (stack_.empty() || stack_.back().is_mark || !stack_.back().item.is(kind))
      return damaged("items have nothing to go into");
    const Entry& to = stack_.back();
    for (Entry& entry : items) {
      LAPIS_CHECK(hold(to, entry));
      to.item.items->push_back(std::move(entry.item));
    }
    return ok();
  }

  Status hold(const Entry& holder, const Entry& held) {
    if (holder.state->is_held) return damaged("what is part of something else changes");
    if (holder.state == held.state) return damaged("a list holds itself");
    held.state->is_held = true;
    holder.state->depth = std::max(holder.state->depth, held.state->depth + 1);
    depth_ = std::max(depth_, holder.state->depth);
    return ok();
  }

  Status push_tuple(std::vector<Entry> items) {
    LAPIS_CHECK(push(Item::list({}, Kind::Tuple)));
    return fill(std::move(items), Kind::Tuple);
  }

  // ---- instructions: values -----------------------------------------------------------------------------------------

  Status protocol() {
    constexpr uint8_t kNewest = 5;
    LAPIS_TRY(const auto version, number<uint8_t>());
    return version <= kNewest ? ok() : damaged("it is of protocol " + std::to_string(version));
  }
  Status mark() {
    stack_.push_back({{}, {}, true});
    return ok();
  }
  Status drop() {
    LAPIS_CHECK(pop());
    return ok();
  }
  Status none() { return push({}); }
  Status yes() { return push(Item::of_bool(true)); }
  Status no() { return push(Item::of_bool(false)); }
  template <class T> Status integer() {
    LAPIS_TRY(const T value, number<T>());
    return push(Item::of_int(static_cast<int64_t>(value)));
  }
  // Little-endian in two's complement.
  Status long_integer() {
    LAPIS_TRY(const auto size, number<uint8_t>());
    LAPIS_TRY(const std::string_view digits, take(size));
    if (size > sizeof(int64_t)) return damaged("an integer does not fit 64 bits");
    uint64_t value = size > 0 && static_cast<signed char>(digits.back()) < 0 ? ~uint64_t{0} : 0;
    for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(digits[i]);
    return push(Item::of_int(static_cast<int64_t>(value)));
  }
  Status real() {
    LAPIS_TRY(const auto swapped, number<uint64_t>());
    return push(Item::of_float(std::bit_cast<double>(__builtin_bswap64(swapped))));
  }
  template <class T> Status string() {
    LAPIS_TRY(const T size, number<T>());
    LAPIS_TRY(const std::string_view text, take(size));
    return push(Item::of_string(std::string(text)));
  }

  // ---- instructions: containers -------------------------------------------------------------------------------------

  template <Kind K> Status empty() { return push(Item::list({}, K)); }
  Status tuple() {
    LAPIS_TRY(std::vector<Entry> items, pop_to_mark());
    return push_tuple(std::move(items));
  }
  template <size_t N> Status tuple_of() {
    std::vector<Entry> items(N);
    for (size_t i = N; i-- > 0;) {
      LAPIS_TRY(items[i], pop());
    }
    return push_tuple(std::move(items));
  }
  Status append() {
    LAPIS_TRY(Entry item, pop());
    std::vector<Entry> items;
    items.push_back(std::move(item));
    return fill(std::move(items), Kind::List);
  }
  Status appends() {
    LAPIS_TRY(std::vector<Entry> items, pop_to_mark());
    return fill(std::move(items), Kind::List);
  }
  Status set_item() {
    std::vector<Entry> items(2);
    LAPIS_TRY(items[1], pop());
    LAPIS_TRY(items[0], pop());
    return fill(std::move(items), Kind::Dict);
  }
  Status set_items() {
    LAPIS_TRY(std::vector<Entry> items, pop_to_mark());
    if (items.size() % 2 != 0) return damaged("a key has no value");
    return fill(std::move(items), Kind::Dict);
  }

  // ---- instructions: the memo ---------------------------------------------------------------------------------------

  Status remember(uint64_t number) {
    if (stack_.empty() || stack_.back().is_mark) return damaged("nothing is remembered");
    memo_[number] = stack_.back();
    return ok();
  }
  template <class T> Status put() {
    LAPIS_TRY(const T key, number<T>());
    return remember(key);
  }
  Status memoize() { return remember(memo_.size()); }
  template <class T> Status get() {
    LAPIS_TRY(const T key, number<T>());
    const auto it = memo_.find(key);
    if (it == memo_.end()) return damaged("it recalls what it never had");
    stack_.push_back(it->second);
    return ok();
  }

  // ---- instructions: what would import and call ---------------------------------------------------------------------

  Status global() {
    LAPIS_TRY(const std::string module, line());
    LAPIS_TRY(const std::string name, line());
    const std::string whole = module + " " + name;
    if (may_be_named(whole)) return push(Item::global(whole));
    return error(ErrorKind::Input, "the pickle names " + module + "." + name + ", which a model has no need of")
        .help("Lapis never runs what a pickle names: export the model with torch.export.save instead");
  }

  Status reduce() {
    LAPIS_TRY(const Entry arguments, pop());
    LAPIS_TRY(const Entry function, pop());
    if (!function.item.is(Kind::Global) || !arguments.item.is(Kind::Tuple))
      return damaged("it calls what is no function");
    const std::string& name = function.item.text;
    const std::vector<Item>& given = arguments.item.elements();
    if (name == "collections OrderedDict" && given.empty()) return push(Item::list({}, Kind::Dict));
    if (name == "torch._utils _rebuild_tensor_v2") return rebuild_tensor(given);
    if (name == "torch._utils _rebuild_qtensor") return rebuild_quantized(given);
    if (name == "torch._tensor _rebuild_from_type_v2") return rebuild_parts(given);
    if (name == "torch device") return push({});
    const bool passes = !given.empty() && name != "collections OrderedDict" && !name.starts_with("__torch__");
    return passes ? push(given[0], State{arguments.state->depth, true}) : Status(damaged("it calls " + name));
  }

  // (storage, offset, sizes, strides, (scheme, scales, zero points, axis), ...)
  Status rebuild_quantized(const std::vector<Item>& given) {
    constexpr size_t kParameters = 4, kFewest = 3;
    if (given.size() <= kParameters || given[kParameters].elements().size() < kFewest)
      return damaged("a quantized tensor has no scale");
    LAPIS_CHECK(rebuild_tensor(given));
    LAPIS_TRY(Entry integers, pop());
    return push(quantized_weight(std::move(integers.item), given[kParameters].elements()));
  }

  // (how it is made, its class, what that takes, its parts by name):
  // a tensor that consists of others, such as integers and scales.
  Status rebuild_parts(const std::vector<Item>& given) {
    constexpr size_t kState = 3;
    if (given.size() <= kState || given[0].text != "torch._utils _rebuild_wrapper_subclass" ||
        !given[kState].is(Kind::Dict))
      return damaged("a tensor of a class of its own has no parts");
    Item made;
    made.kind = Kind::Object;
    made.object = std::make_shared<Object>();
    made.object->type = kTensorOfParts;
    const std::vector<Item>& parts = given[kState].elements();
    for (size_t i = 0; i + 1 < parts.size(); i += 2)
      if (parts[i].is(Kind::String) && parts[i + 1].is(Kind::Weight))
        made.object->attributes.insert_or_assign(parts[i].text, parts[i + 1]);
    return push(std::move(made));
  }

  // (storage, offset, sizes, strides, ...)
  Status rebuild_tensor(const std::vector<Item>& given) {
    constexpr size_t kFewest = 4;
    if (given.size() < kFewest || !given[0].object || !given[1].is(Kind::Int))
      return damaged("a tensor has no storage");
    Strided view{.offset = given[1].integer};
    for (const Item& size : given[2].elements()) view.shape.push_back(size.integer);
    for (const Item& stride : given[3].elements()) view.strides.push_back(stride.integer);
    const std::string& type = given[0].object->type;
    const auto dtype = dtype_of_storage(type);
    if (!dtype) return push(Item::of_weight(Tensor()));
    view.dtype = *dtype;
    if (!storages_)
      return push(Item::list({Item::of_int(*scalar_type_of(*dtype)), given[2]}, Kind::Tuple), State{2, true});
    return push_tensor(view, given[0].object->path);
  }

  // The same elements of a storage are one tensor, whose changes all who hold it see.
  Status push_tensor(const Strided& view, const std::string& key) {
    Storage& storage = opened_[key];
    Item& tensor = storage.tensors[{view.dtype, view.offset, view.shape, view.strides}];
    if (!tensor.weight) {
      LAPIS_TRY(const MappedFile bytes, storages_(key));
      LAPIS_TRY(Tensor read, tensor_over(view, bytes, copies_));
      tensor = Item::of_weight(std::move(read));
      if (storage.number == 0) storage.number = static_cast<int>(opened_.size());
      tensor.storage = storage.number;
    }
    return push(tensor);
  }

  // ('storage', torch.FloatStorage, key, device, number of elements)
  Status persistent() {
    LAPIS_TRY(const Entry id, pop());
    const std::vector<Item>& parts = id.item.elements();
    constexpr size_t kFewest = 3;
    constexpr std::string_view kPrefix = "torch ";
    if (parts.size() < kFewest || !parts[1].is(Kind::Global) || !parts[1].text.starts_with(kPrefix) ||
        !parts[2].is(Kind::String))
      return damaged("a storage has no name");
    Item storage;
    storage.kind = Kind::Object;
    storage.object = std::make_shared<Object>();
    storage.object->type = parts[1].text.substr(kPrefix.size());
    storage.object->path = parts[2].text;
    return push(std::move(storage));
  }

  Status new_object() {
    LAPIS_CHECK(pop());  // its arguments: classes of TorchScript have none
    LAPIS_TRY(const Entry type, pop());
    const bool is_known = type.item.text.starts_with("__torch__") || type.item.text.starts_with("torchao.");
    if (!type.item.is(Kind::Global) || !is_known) return damaged("an object has no class");
    Item made;
    made.kind = Kind::Object;
    made.object = std::make_shared<Object>();
    made.object->type = type.item.text;
    std::replace(made.object->type.begin(), made.object->type.end(), ' ', '.');
    return push(std::move(made));
  }

  // The state of the object below it: attributes by name, or a tuple of which its code makes them.
  // A dict of other kinds has none that we want.
  Status build() {
    LAPIS_TRY(const Entry state, pop());
    if (stack_.empty() || stack_.back().is_mark) return damaged("a state has no object");
    const Entry& to = stack_.back();
    if (!to.item.is(Kind::Object)) return ok();
    LAPIS_CHECK(hold(to, state));
    if (state.item.is(Kind::Tuple)) to.item.object->attributes.insert_or_assign(kState, state.item);
    const std::vector<Item>& all = state.item.elements();
    for (size_t i = 0; i + 1 < all.size() && state.item.is(Kind::Dict); i += 2)
      if (all[i].is(Kind::String)) to.item.object->attributes.insert_or_assign(all[i].text, all[i + 1]);
    return ok();
  }

  std::span<const std::byte> bytes_;
  const Storages& storages_;
  frontend::Expansion& copies_;
  size_t at_ = 0;
  int depth_ = 0;
  std::vector<Entry> stack_;
  std::unordered_map<uint64_t, Entry> memo_;
  std::unordered_map<std::string, Storage> opened_;  // by key
};

}  // namespace

Result<Item> read_pickle(std::span<const std::byte> bytes, const Storages& storages, frontend::Expansion& copies) {
  return Machine(bytes, storages, copies).run();
}

}  // namespace lapis::pytorch_frontend
