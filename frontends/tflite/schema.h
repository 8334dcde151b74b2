// TFLite's schema, as far as it is read: slots of its tables, numbers of its types and operators,
// and the options of operators.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "frontends/common/source_graph.h"
#include "frontends/tflite/flatbuffer.h"

namespace lapis::tflite_frontend {

inline constexpr std::string_view kIdentifier = "TFL3";  // at byte 4
inline constexpr uint32_t kVersion = 3;

namespace model {
enum Slot { Version, OperatorCodes, Subgraphs, Description, Buffers, MetadataBuffer, Metadata, Signatures };
}
namespace signature {
enum Slot { Inputs, Outputs, Key, DeprecatedTag, Subgraph };
enum NameSlot { Name, Tensor };  // of its inputs and outputs
}  // namespace signature
namespace operator_code {
enum Slot { DeprecatedBuiltin, CustomCode, Version, Builtin };
}
namespace buffer {
enum Slot { Data, Offset, Size };
}
namespace subgraph {
enum Slot { Tensors, Inputs, Outputs, Operators, Name };
}
namespace tensor {
enum Slot { Shape, Type, Buffer, Name, Quantization, IsVariable, Sparsity, ShapeSignature, HasRank };
}
namespace sparsity {
enum Slot { TraversalOrder, BlockMap, Levels };
enum LevelSlot { Format, DenseSize, SegmentsType, Segments, IndicesType, Indices };
enum class Width : uint8_t { None, Int32, UInt16, UInt8 };
}  // namespace sparsity
namespace quantization {
enum Slot { Min, Max, Scale, ZeroPoint, DetailsType, Details, Axis };
}
namespace node {
enum Slot { OpcodeIndex, Inputs, Outputs, OptionsType, Options, CustomOptions };
}

inline constexpr int64_t kCustom = 32;  // the builtin operator that stands for one with a name of its own

std::span<const std::string_view> builtins();  // by number
std::string builtin_name(int64_t code);        // "CONV_2D"; "number 300" for what is newer than this list
// Undefined for what Lapis has no type for (resources, variants).
DType dtype_of(int8_t tensor_type);
std::string tensor_type_name(int8_t tensor_type);

// The options of an operator as attributes, with the format's defaults; none if the file has none.
// An error if they are those of another operator.
Result<std::map<std::string, frontend::SourceAttribute, std::less<>>> options_of(std::string_view op,
                                                                                 const FlatTable& operation);

}  // namespace lapis::tflite_frontend
