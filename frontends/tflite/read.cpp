#include "frontends/tflite/read.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "base/truth.h"
#include "frontends/common/bytes.h"
#include "frontends/common/limits.h"
#include "frontends/common/symbols.h"
#include "frontends/tflite/schema.h"

namespace lapis::tflite_frontend {
namespace {

using frontend::Quantization;
using frontend::SourceGraph;
using frontend::SourceNode;
using frontend::SourceValue;

Diagnostic damaged(std::string message) { return error(ErrorKind::Input, std::move(message)); }

class Reader {
 public:
  explicit Reader(const MappedFile& mapped) : mapped_(mapped), file_(mapped.bytes()), copies_(0, mapped.size) {}

  Result<SourceGraph> run() {
    const FlatTable model = file_.root();
    Status read = read_model(model);
    // A flaw explains whatever else seems to be wrong.
    if (file_.flaw()) return *file_.flaw();
    if (!read.ok()) return std::move(read).diagnostics();
    if (!findings_.empty()) return findings_;
    source_.file_bytes = mapped_.size;
    return std::move(source_);
  }

 private:
  Status read_model(const FlatTable& model) {
    const auto version = model.get<uint32_t>(model::Version, 0);
    if (!file_.flaw() && version != kVersion)
      return error(ErrorKind::Unsupported,
                   "the schema version is " + std::to_string(version) + ", not " + std::to_string(kVersion))
          .help("convert the model again");
    codes_ = model.tables(model::OperatorCodes);
    buffers_ = model.tables(model::Buffers);
    const std::vector<FlatTable> subgraphs = model.tables(model::Subgraphs);
    if (subgraphs.empty()) return damaged("the model has no graph").help("convert it again");
    if (subgraphs.size() > 1)
      return error(ErrorKind::Unsupported, "the model has " + std::to_string(subgraphs.size()) +
                                               " subgraphs (control flow, or several signatures)")
          .help("convert a function without branches and loops, one signature at a time");
    read_subgraph(subgraphs[0]);
    return ok();
  }

  void read_subgraph(const FlatTable& graph) {
    source_.name = graph.text(subgraph::Name);
    const std::vector<FlatTable> tensors = graph.tables(subgraph::Tensors);
    const std::vector<int32_t> inputs = graph.numbers<int32_t>(subgraph::Inputs);
    inputs_.insert(inputs.begin(), inputs.end());
    name_tensors(tensors);
    for (size_t i = 0; i < tensors.size() && !file_.flaw(); ++i) read_tensor(tensors[i], i);
    source_.inputs = names_of(inputs, "the list of inputs", Absent::MustNot);
    source_.outputs = names_of(graph.numbers<int32_t>(subgraph::Outputs), "the list of outputs", Absent::MustNot);
    for (const FlatTable& operation : graph.tables(subgraph::Operators)) {
      if (file_.flaw()) return;
      read_node(operation);
    }
  }

  void report(Diagnostic d, const std::string& where) { findings_.push_back(d.at(where)); }

  // ---- names ------------------------------------------------------------------------------------------------------------

  // Tensors need no names, and may share one.
  void name_tensors(const std::vector<FlatTable>& tensors) {
    std::unordered_set<std::string> taken;
    for (size_t i = 0; i < tensors.size(); ++i) {
      std::string name = tensors[i].text(tensor::Name);
      if (name.empty()) name = "tensor_" + std::to_string(i);
      while (!taken.insert(name).second) name += "_" + std::to_string(i);
      names_.push_back(std::move(name));
    }
  }

  // -1 stands for an operand or a result that is absent; inputs and outputs of the model are not.
  enum class Absent : int32_t { May = -1, MustNot = 0 };
  std::vector<std::string> names_of(const std::vector<int32_t>& indices, const std::string& where, Absent absent) {
    std::vector<std::string> names;
    for (const int32_t i : indices) {
      if (i < static_cast<int32_t>(absent) || i >= static_cast<int32_t>(names_.size())) {
        report(damaged("names tensor " + std::to_string(i) + " of " + std::to_string(names_.size())), where);
        return {};
      }
      names.push_back(i < 0 ? "" : names_[static_cast<size_t>(i)]);
      if (copies_.add_bytes(names.back().size())) continue;
      report(copies_.explosion("names"), where);
      return {};
    }
    return names;
  }

  // ---- tensors ------------------------------------------------------------------------------------------------------------

  void read_tensor(const FlatTable& table, size_t i) {
    SourceValue value;
    if (Status read = fill(value, table, i); !read.ok()) {
      for (Diagnostic& d : std::move(read).diagnostics()) report(std::move(d), "tensor '" + names_[i] + "'");
    }
    source_.values.emplace(names_[i], std::move(value));
  }

  Status fill(SourceValue& value, const FlatTable& table, size_t i) {
    const auto type = table.get<int8_t>(tensor::Type, 0);
    const bool is_input = inputs_.contains(static_cast<int32_t>(i));
    LAPIS_TRY(Dims dims, dims_of(table, is_input ? &names_[i] : nullptr));
    value.type = Type::tensor(dtype_of(type), std::move(dims));
    value.given = is_input;
    value.unsupported = unsupported(table, type);
    if (!value.unsupported.empty()) {
      value.given |= table.get<uint8_t>(tensor::IsVariable, 0) != 0 || data_size(table) > 0;
      return ok();
    }
    LAPIS_CHECK(read_constant(value, table));
    return read_quantization(value, table);
  }

  // What Lapis cannot represent, for the report about the operators that have it.
  static std::string unsupported(const FlatTable& table, int8_t type) {
    const DType dtype = dtype_of(type);
    if (dtype == DType::String || dtype == DType::Undefined || dtype == DType::Int4)
      return tensor_type_name(type) + " tensors";
    if (table.has(tensor::Sparsity)) return "sparse tensors";
    if (table.get<uint8_t>(tensor::IsVariable, 0) != 0) return "variable tensors";
    const FlatTable q = table.table(tensor::Quantization);
    if (q.get<uint8_t>(quantization::DetailsType, 0) != 0) return "tensors with a quantization of their own kind";
    const bool may_be = is_quantized_storage(dtype) || is_float(dtype) || dtype == DType::Int32;
    if (!may_be && q.has(quantization::Scale) && !q.numbers<float>(quantization::Scale).empty())
      return "tensors quantized to " + tensor_type_name(type);
    return "";
  }

  // Of the signature, where -1 is any size: a symbol for inputs, unknown for others. Without one, all sizes are fixed.
  Result<Dims> dims_of(const FlatTable& table, const std::string* input) {
    const std::vector<int32_t> shape = table.numbers<int32_t>(tensor::Shape);
    std::vector<int32_t> signature = table.numbers<int32_t>(tensor::ShapeSignature);
    if (signature.empty()) signature = shape;
    if (signature.size() != shape.size()) return damaged("its shape and its signature have different ranks");
    if (shape.size() > kMaxRank) return damaged("has " + std::to_string(shape.size()) + " axes");
    if (input && !copies_.add_bytes(input->size() * shape.size())) return copies_.explosion("names");
    Dims dims;
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      if (signature[axis] < -1) return damaged("has the size " + std::to_string(signature[axis]));
      if (signature[axis] >= 0)
        dims.emplace_back(signature[axis]);
      else
        dims.push_back(input ? frontend::Symbols::unnamed(*input, axis) : Dim::unknown());
    }
    return dims;
  }

  size_t data_size(const FlatTable& table) {
    const Result<std::span<const std::byte>> data = data_of(table);
    return data.ok() ? data->size() : 0;
  }

  // Buffer 0 is that of tensors without data. Files beyond 2 GB keep the bytes behind the FlatBuffer.
  Result<std::span<const std::byte>> data_of(const FlatTable& table) {
    const auto index = table.get<uint32_t>(tensor::Buffer, 0);
    if (index == 0) return std::span<const std::byte>();
    if (index >= buffers_.size())
      return damaged("its data is buffer " + std::to_string(index) + " of " + std::to_string(buffers_.size()));
    const FlatTable& buffer = buffers_[index];
    const auto offset = buffer.get<uint64_t>(buffer::Offset, 0), size = buffer.get<uint64_t>(buffer::Size, 0);
    if (offset <= 1) return buffer.bytes(buffer::Data);
    if (offset > mapped_.size || size > mapped_.size - offset)
      return damaged("its data should be " + std::to_string(size) + " bytes from byte " + std::to_string(offset) +
                     " on, but the file ends after " + std::to_string(mapped_.size));
    return mapped_.bytes().subspan(offset, size);
  }

  Status read_constant(SourceValue& value, const FlatTable& table) {
    LAPIS_TRY(const std::span<const std::byte> data, data_of(table));
    if (data.empty()) return ok();
    const std::vector<int32_t> sizes = table.numbers<int32_t>(tensor::Shape);
    const Shape shape(sizes.begin(), sizes.end());
    const DType dtype = value.type.dtype;
    if (const auto problem = shape_problem(dtype, shape)) return damaged("cannot be: " + *problem);
    const int64_t wanted = byte_size(dtype, element_count(shape));
    if (static_cast<int64_t>(data.size()) != wanted)
      return damaged("holds " + std::to_string(data.size()) + " bytes, but " + std::string(name_of(dtype)) +
                     to_string(shape) + " needs " + std::to_string(wanted));
    if (!frontend::can_borrow(dtype, data.data(), wanted) && !copies_.add_bytes(data.size()))
      return copies_.explosion("tensors that share their bytes");
    value.constant = with_truth_values(frontend::over_bytes(dtype, shape, {mapped_.data, data.data()}));
    value.type = Type::of(value.constant);
    value.given = true;
    return ok();
  }

  // Of integers that stand for reals. Quantization that is written beside floats, or beside integers that count (without constants), means
  // nothing.
  Status read_quantization(SourceValue& value, const FlatTable& table) {
    const FlatTable q = table.table(tensor::Quantization);
    Quantization found{.scales = q.numbers<float>(quantization::Scale),
                       .zero_points = q.numbers<int64_t>(quantization::ZeroPoint),
                       .axis = q.get<int32_t>(quantization::Axis, 0)};
    const DType dtype = value.type.dtype;
    const bool is_bias = dtype == DType::Int32 && value.constant.defined();
    if (found.scales.empty() || (!is_quantized_storage(dtype) && !is_bias)) return ok();
    if (found.zero_points.size() <= 1)
      found.zero_points.assign(found.scales.size(), found.zero_points.empty() ? 0 : found.zero_points[0]);
    LAPIS_CHECK(check(found, value.type));
    value.quantization = std::move(found);
    return ok();
  }

  static Status check(const Quantization& q, const Type& type) {
    const size_t count = q.scales.size();
    if (q.zero_points.size() != count)
      return damaged("has " + std::to_string(count) + " scales and " + std::to_string(q.zero_points.size()) +
                     " zero points");
    if (count > 1 && (q.axis < 0 || q.axis >= type.rank() || !type.dim(q.axis).is(static_cast<int64_t>(count))))
      return damaged("has " + std::to_string(count) + " scales along axis " + std::to_string(q.axis) + " of " +
                     type.to_string());
    for (const float scale : q.scales)
      if (!std::isfinite(scale) || scale <= 0) return damaged("has a scale that is not above 0");
    const IntegerRange range = integer_range(type.dtype);
    for (const int64_t zero : q.zero_points)
      if (zero < range.lowest || zero > static_cast<int64_t>(range.highest) ||
          (type.dtype == DType::Int32 && zero != 0))
        return damaged("has the zero point " + std::to_string(zero) + ", which " + std::string(name_of(type.dtype)) +
                       " cannot have");
    return ok();
  }

  // ---- operators -----------------------------------------------------------------------------------------------------------

  void read_node(const FlatTable& operation) {
    SourceNode result;
    const auto code = operation.get<uint32_t>(node::OpcodeIndex, 0);
    result.inputs = names_of(operation.numbers<int32_t>(node::Inputs), "an operator's operands", Absent::May);
    result.outputs = names_of(operation.numbers<int32_t>(node::Outputs), "an operator's results", Absent::May);
    const size_t number = source_.nodes.size();
    result.name = result.outputs.empty() ? "operator_" + std::to_string(number) : result.outputs[0];
    if (code >= codes_.size())
      return report(damaged("is of kind " + std::to_string(code) + " of " + std::to_string(codes_.size())),
                    "node '" + result.name + "'");
    name_operator(result, codes_[code]);
    auto options = options_of(result.op, operation);
    if (!options.ok()) return report(std::move(options).diagnostics()[0], location_of(result));
    result.attributes = *std::move(options);
    source_.nodes.push_back(std::move(result));
  }

  // Numbers above 127 came later and have a field of their own.
  static void name_operator(SourceNode& result, const FlatTable& code) {
    const int64_t builtin = std::max<int64_t>(code.get<int8_t>(operator_code::DeprecatedBuiltin, 0),
                                              code.get<int32_t>(operator_code::Builtin, 0));
    result.version = code.get<int32_t>(operator_code::Version, 1);
    result.op = builtin == kCustom ? "CUSTOM " + code.text(operator_code::CustomCode) : builtin_name(builtin);
  }

  const MappedFile& mapped_;
  FlatBuffer file_;
  frontend::Expansion copies_;
  std::vector<FlatTable> codes_, buffers_;
  std::unordered_set<int32_t> inputs_;
  std::vector<std::string> names_;
  SourceGraph source_;
  Diagnostics findings_;
};

}  // namespace

Result<SourceGraph> read_model(const MappedFile& file) { return Reader(file).run(); }

}  // namespace lapis::tflite_frontend
