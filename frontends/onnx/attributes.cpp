#include "frontends/onnx/attributes.h"

#include <onnx/onnx_pb.h>

namespace lapis::onnx_frontend {

Result<Attribute> to_attribute(onnx::AttributeProto& proto, ExternalFiles& files) {
  switch (proto.type()) {
    case onnx::AttributeProto::INT: return Attribute(proto.i());
    case onnx::AttributeProto::FLOAT: return Attribute(proto.f());
    case onnx::AttributeProto::STRING: return Attribute(proto.s());
    case onnx::AttributeProto::INTS: return Attribute(std::vector<int64_t>(proto.ints().begin(), proto.ints().end()));
    case onnx::AttributeProto::FLOATS:
      return Attribute(std::vector<float>(proto.floats().begin(), proto.floats().end()));
    case onnx::AttributeProto::STRINGS:
      return Attribute(std::vector<std::string>(proto.strings().begin(), proto.strings().end()));
    case onnx::AttributeProto::TENSOR: {
      LAPIS_TRY(Tensor tensor, to_tensor(*proto.mutable_t(), files));
      return Attribute(std::move(tensor));
    }
    default:
      return error(ErrorKind::Unsupported, "attribute '" + proto.name() + "' is of the kind " +
                                               onnx::AttributeProto::AttributeType_Name(proto.type()) +
                                               ", which is not supported");
  }
}

namespace {

struct AttributeWriter {
  onnx::AttributeProto& proto;
  void operator()(int64_t v) const {
    proto.set_type(onnx::AttributeProto::INT);
    proto.set_i(v);
  }
  void operator()(float v) const {
    proto.set_type(onnx::AttributeProto::FLOAT);
    proto.set_f(v);
  }
  void operator()(const std::string& v) const {
    proto.set_type(onnx::AttributeProto::STRING);
    proto.set_s(v);
  }
  void operator()(const Tensor& v) const {
    proto.set_type(onnx::AttributeProto::TENSOR);
    to_proto(v, *proto.mutable_t());
  }
  void operator()(const std::shared_ptr<Graph>&) const { LAPIS_UNREACHABLE("subgraphs are written by the exporter"); }
  void operator()(const std::vector<int64_t>& v) const {
    proto.set_type(onnx::AttributeProto::INTS);
    proto.mutable_ints()->Assign(v.begin(), v.end());
  }
  void operator()(const std::vector<float>& v) const {
    proto.set_type(onnx::AttributeProto::FLOATS);
    proto.mutable_floats()->Assign(v.begin(), v.end());
  }
  void operator()(const std::vector<std::string>& v) const {
    proto.set_type(onnx::AttributeProto::STRINGS);
    proto.mutable_strings()->Assign(v.begin(), v.end());
  }
};

}  // namespace

void to_proto(const std::string& name, const Attribute& attribute, onnx::AttributeProto& proto) {
  proto.set_name(name);
  std::visit(AttributeWriter{proto}, attribute);
}

Result<Tensor> constant_value(onnx::NodeProto& node, ExternalFiles& files) {
  if (node.attribute_size() != 1)
    return error(ErrorKind::Input, "must have exactly one attribute that gives its value");
  onnx::AttributeProto& a = *node.mutable_attribute(0);
  if (!a.ref_attr_name().empty())
    return error(ErrorKind::Input, "takes its value from attribute '" + a.ref_attr_name() +
                                       "' of a function, but there is none around it");
  if (a.name() == "value") return to_tensor(*a.mutable_t(), files);
  if (a.name() == "sparse_value") return to_tensor(*a.mutable_sparse_tensor(), files);
  if (a.name() == "value_float") return Tensor::scalar(a.f());
  if (a.name() == "value_int") return Tensor::scalar<int64_t>(a.i());
  if (a.name() == "value_string") return Tensor::strings({}, {a.s()});
  if (a.name() == "value_floats") return Tensor::vector(std::vector<float>(a.floats().begin(), a.floats().end()));
  if (a.name() == "value_ints") return Tensor::vector(std::vector<int64_t>(a.ints().begin(), a.ints().end()));
  if (a.name() == "value_strings") return Tensor::strings({a.strings_size()}, {a.strings().begin(), a.strings().end()});
  return error(ErrorKind::Input, "attribute '" + a.name() + "' gives no value");
}

}  // namespace lapis::onnx_frontend
