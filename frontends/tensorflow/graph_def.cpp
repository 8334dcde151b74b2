#include "frontends/tensorflow/graph_def.h"

#include "frontends/common/protobuf.h"

namespace lapis::tensorflow_frontend {
namespace {

using frontend::ProtoField;
using frontend::ProtoReader;
using frontend::SourceAttribute;

// Field numbers.
namespace graph {
enum Field { Node = 1, Library = 2 };
}
namespace library {
enum Field { Function = 1 };
}
namespace function {
enum Field { Signature = 1, Node = 3, Return = 4 };
}
namespace signature {
enum Field { Name = 1, Input = 2, Output = 3 };
}
namespace node {
enum Field { Name = 1, Op = 2, Input = 3, Attribute = 5 };
}
namespace entry {  // of a map
enum Field { Key = 1, Value = 2 };
}
namespace value {
enum Field { List = 1, Text = 2, Int = 3, Float = 4, Bool = 5, Type = 6, Shape = 7, Tensor = 8, Function = 10 };
}
namespace list {  // has the fields of a value, but for this one
enum Field { Function = 9 };
}
namespace shape {
enum Field { Dim = 2, UnknownRank = 3 };
}

Diagnostic damaged(const char* what) {
  return error(ErrorKind::Input, std::string("the file is damaged or cut off within ") + what)
      .help("copy or export it again");
}

constexpr DType kTypes[] = {
    DType::Undefined,  DType::Float32, DType::Float64,   DType::Int32,     DType::UInt8,  DType::Int16,
    DType::Int8,       DType::String,  DType::Complex64, DType::Int64,     DType::Bool,   DType::Int8,
    DType::UInt8,      DType::Int32,   DType::BFloat16,  DType::Int16,     DType::UInt16, DType::UInt16,
    DType::Complex128, DType::Float16, DType::Undefined, DType::Undefined, DType::UInt32, DType::UInt64,
};

int64_t type_number(uint64_t data_type) { return static_cast<int64_t>(dtype_of(data_type)); }

// Field 1 of a message as text: names of arguments, functions, keys.
std::string name_in(std::string_view message) {
  ProtoReader fields(message);
  while (const auto field = fields.next())
    if (field->number == 1 && field->has_bytes()) return std::string(field->bytes);
  return {};
}

struct Entry {
  std::string_view key, value;
};
Entry entry_of(std::string_view message) {
  Entry found;
  ProtoReader fields(message);
  while (const auto field = fields.next()) {
    if (field->number == entry::Key && field->has_bytes()) found.key = field->bytes;
    if (field->number == entry::Value && field->has_bytes()) found.value = field->bytes;
  }
  return found;
}

// ---- attributes -----------------------------------------------------------------------------------------------------

// Lists of numbers, types, truth values, shapes and functions; of text and others nothing is kept.
struct List {
  std::vector<uint64_t> numbers, types;
  std::vector<ShapeProto> shapes;
  std::vector<std::string> functions;

  Status read(const ProtoField& field) {
    const auto read_numbers = [&](std::vector<uint64_t>& into) {
      return append_numbers(field, ProtoField::Varint, into) ? ok() : Status(damaged("a list"));
    };
    if (field.number == value::Int || field.number == value::Bool) return read_numbers(numbers);
    if (field.number == value::Type) return read_numbers(types);
    if (!field.has_bytes()) return ok();
    if (field.number == list::Function) functions.push_back(name_in(field.bytes));
    if (field.number != value::Shape) return ok();
    LAPIS_TRY(shapes.emplace_back(), parse_shape(field.bytes));
    return ok();
  }
  std::vector<int64_t> as_numbers() const {
    std::vector<int64_t> all(numbers.begin(), numbers.end());
    for (const uint64_t type : types) all.push_back(type_number(type));
    return all;
  }
};

Status read_list(NodeDef& result, const std::string& key, std::string_view message) {
  List list;
  ProtoReader fields(message);
  while (const auto field = fields.next()) LAPIS_CHECK(list.read(*field));
  if (fields.flawed()) return damaged("a list");
  if (!list.functions.empty())
    result.functions = std::move(list.functions);
  else if (list.shapes.empty())
    result.attributes.insert_or_assign(key, list.as_numbers());
  else if (key == "output_shapes" || key == "_output_shapes")
    result.output_shapes = std::move(list.shapes);
  return ok();
}

Status read_value(NodeDef& result, const std::string& key, const ProtoField& field) {
  const auto set = [&](SourceAttribute attribute) { result.attributes.insert_or_assign(key, std::move(attribute)); };
  switch (field.number) {
    case value::Text: set(std::string(field.bytes)); break;
    case value::Int: set(field.as_int()); break;
    case value::Float: set(double{field.as_float()}); break;
    case value::Bool: set(field.value != 0); break;
    case value::Type: set(type_number(field.value)); break;
    case value::Function: set(name_in(field.bytes)); break;
    case value::List: return read_list(result, key, field.bytes);
    case value::Tensor:
      if (key == "value") result.tensor = field.bytes;
      break;
    case value::Shape: {
      LAPIS_TRY(ShapeProto sizes, parse_shape(field.bytes));
      if (sizes) set(*std::move(sizes));
      break;
    }
    default: break;
  }
  return ok();
}

Status read_attribute(NodeDef& result, std::string_view message) {
  const Entry found = entry_of(message);
  ProtoReader fields(found.value);
  while (const auto field = fields.next()) LAPIS_CHECK(read_value(result, std::string(found.key), *field));
  return fields.flawed() ? Status(damaged("an attribute")) : ok();
}

// ---- nodes and functions --------------------------------------------------------------------------------------------

Result<NodeDef> read_node(std::string_view message) {
  NodeDef result;
  ProtoReader fields(message);
  while (const auto field = fields.next()) {
    if (!field->has_bytes()) continue;
    switch (field->number) {
      case node::Name: result.name = field->bytes; break;
      case node::Op: result.op = field->bytes; break;
      case node::Input: result.inputs.emplace_back(field->bytes); break;
      case node::Attribute: LAPIS_CHECK(read_attribute(result, field->bytes)); break;
      default: break;
    }
  }
  if (fields.flawed()) return damaged("a node");
  return result;
}

Status read_signature(FunctionDef& result, std::string_view message) {
  ProtoReader fields(message);
  while (const auto field = fields.next()) {
    if (field->number == signature::Name) result.name = field->bytes;
    if (field->number == signature::Input) result.inputs.push_back(name_in(field->bytes));
    if (field->number == signature::Output) result.outputs.push_back(name_in(field->bytes));
  }
  return fields.flawed() ? Status(damaged("the signature of a function")) : ok();
}

Result<FunctionDef> read_function(std::string_view message) {
  FunctionDef result;
  ProtoReader fields(message);
  while (const auto field = fields.next()) {
    if (field->number == function::Signature) LAPIS_CHECK(read_signature(result, field->bytes));
    if (field->number == function::Node) {
      LAPIS_TRY(result.nodes.emplace_back(), read_node(field->bytes));
    }
    if (field->number != function::Return) continue;
    const Entry found = entry_of(field->bytes);
    // The value of this map is text, not a message, and read the same way.
    result.returns.insert_or_assign(std::string(found.key), std::string(found.value));
  }
  if (fields.flawed()) return damaged("a function");
  return result;
}

Status read_library(GraphDef& result, std::string_view message) {
  ProtoReader fields(message);
  while (const auto field = fields.next()) {
    if (field->number != library::Function) continue;
    LAPIS_TRY(FunctionDef function, read_function(field->bytes));
    std::string name = function.name;
    result.functions.insert_or_assign(std::move(name), std::move(function));
  }
  return fields.flawed() ? Status(damaged("the functions")) : ok();
}

}  // namespace

DType dtype_of(uint64_t data_type) {
  constexpr uint64_t kReferences = 100;  // old variables: a reference to a value of the type
  if (data_type > kReferences) data_type -= kReferences;
  return data_type < std::size(kTypes) ? kTypes[data_type] : DType::Undefined;
}

Result<ShapeProto> parse_shape(std::string_view bytes) {
  std::vector<int64_t> sizes;
  bool known = true;
  ProtoReader fields(bytes);
  while (const auto field = fields.next()) {
    if (field->number == shape::UnknownRank) known = field->value == 0;
    if (field->number != shape::Dim || !field->has_bytes()) continue;
    int64_t size = 0;
    ProtoReader dim(field->bytes);
    while (const auto part = dim.next())
      if (part->number == 1 && part->is_number()) size = part->as_int();
    if (dim.flawed()) return damaged("a shape");
    sizes.push_back(size);
  }
  if (fields.flawed()) return damaged("a shape");
  if (sizes.size() > kMaxRank) return error(ErrorKind::Input, "a shape has " + std::to_string(sizes.size()) + " axes");
  return known ? ShapeProto(std::move(sizes)) : ShapeProto();
}

Result<GraphDef> parse_graph(std::string_view bytes) {
  GraphDef result;
  ProtoReader fields(bytes);
  while (const auto field = fields.next()) {
    if (field->number == graph::Node && field->has_bytes()) {
      LAPIS_TRY(result.nodes.emplace_back(), read_node(field->bytes));
    }
    if (field->number == graph::Library && field->has_bytes()) LAPIS_CHECK(read_library(result, field->bytes));
  }
  if (fields.flawed()) return damaged("the graph");
  return result;
}

}  // namespace lapis::tensorflow_frontend
