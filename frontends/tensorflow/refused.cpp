// TensorFlow's operators that are known and have no translator: why, and what helps.
#include "frontends/common/reasons.h"
#include "frontends/tensorflow/import.h"

namespace lapis::tensorflow_frontend {
namespace {

using frontend::reason::kComplex;
using frontend::reason::kPython;
using frontend::reason::kRandom;
using frontend::reason::kRecurrent;
using frontend::reason::kSparse;
using frontend::reason::kSpectrum;
using frontend::reason::kValues;
constexpr const char* kTexts = "it works on texts, for which Lapis has no code";
constexpr const char* kTables = "it reads a table of texts or numbers that lives beside the graph";
constexpr const char* kOutside = "do it in the program around the model: cut it off with --inputs";
constexpr const char* kGiveNumbers = "give the model its random numbers as an input: --inputs";
constexpr const char* kPictures = "it decodes files of pictures or records";
constexpr const char* kDense = "make them dense before the model is saved (tf.sparse.to_dense)";
constexpr const char* kCount = "sort and count in the program around the model";
constexpr const char* kState = "it changes a variable, which would have to live from one run to the next";
constexpr const char* kStateOut = "make the state an input and an output of the model";
constexpr const char* kTraining = "it only trains";
constexpr const char* kWithoutTraining = "cut it off with --outputs";
constexpr const char* kAsOperators = "write it with operators of TensorFlow";
constexpr const char* kOldInt8 = "it computes in the int8 form of TensorFlow 1, with ranges that are computed";
constexpr const char* kFakeQuant = "convert the float model, or one with FakeQuant nodes";
constexpr const char* kOldArray =
    "it is of the arrays that TensorFlow had before 1.0, whose elements no value of the graph holds";
constexpr const char* kNewArray =
    "write the model anew with TensorFlow 1.0 or later, which makes TensorArrayV3 of them";
constexpr const char* kUnfused = "save the layer without the fused kernel (tf.keras.layers.LSTM and GRU on a CPU)";

constexpr frontend::Refused kRefused[] = {
    {"Angle", kComplex, kSpectrum},
    {"ApplyAdam", kTraining, kWithoutTraining},
    {"ApplyGradientDescent", kTraining, kWithoutTraining},
    {"AsString", kTexts, kOutside},
    {"Assign", kState, kStateOut},
    {"AssignAdd", kState, kStateOut},
    {"AssignAddVariableOp", kState, kStateOut},
    {"AssignSub", kState, kStateOut},
    {"AssignSubVariableOp", kState, kStateOut},
    {"AssignVariableOp", kState, kStateOut},
    {"BlockLSTM", kRecurrent, kUnfused},
    {"BlockLSTMV2", kRecurrent, kUnfused},
    {"Complex", kComplex, kSpectrum},
    {"ComplexAbs", kComplex, kSpectrum},
    {"Conj", kComplex, kSpectrum},
    {"Conv2DBackpropFilter", kTraining, kWithoutTraining},
    {"CudnnRNN", kRecurrent, kUnfused},
    {"CudnnRNNV2", kRecurrent, kUnfused},
    {"CudnnRNNV3", kRecurrent, kUnfused},
    {"DecodeBmp", kPictures, kOutside},
    {"DecodeGif", kPictures, kOutside},
    {"DecodeImage", kPictures, kOutside},
    {"DecodeJpeg", kPictures, kOutside},
    {"DecodePng", kPictures, kOutside},
    {"DecodeRaw", kPictures, kOutside},
    {"Dequantize", kOldInt8, kFakeQuant},
    {"DynamicPartition", kValues, kCount},
    {"EagerPyFunc", kPython, kAsOperators},
    {"EncodeJpeg", kPictures, kOutside},
    {"EncodePng", kPictures, kOutside},
    {"FFT", kComplex, kSpectrum},
    {"FFT2D", kComplex, kSpectrum},
    {"FFT3D", kComplex, kSpectrum},
    {"FusedBatchNormGradV3", kTraining, kWithoutTraining},
    {"GRUBlockCell", kRecurrent, kUnfused},
    {"HashTable", kTables, kOutside},
    {"HashTableV2", kTables, kOutside},
    {"IFFT", kComplex, kSpectrum},
    {"IFFT2D", kComplex, kSpectrum},
    {"IRFFT", kComplex, kSpectrum},
    {"Imag", kComplex, kSpectrum},
    {"InitializeTableFromTextFileV2", kTables, kOutside},
    {"InitializeTableV2", kTables, kOutside},
    {"LSTMBlockCell", kRecurrent, kUnfused},
    {"ListDiff", kValues, kCount},
    {"LookupTableFind", kTables, kOutside},
    {"LookupTableFindV2", kTables, kOutside},
    {"LookupTableImportV2", kTables, kOutside},
    {"LookupTableSizeV2", kTables, kOutside},
    {"MaxPoolGrad", kTraining, kWithoutTraining},
    {"Multinomial", kRandom, kGiveNumbers},
    {"MutableHashTableV2", kTables, kOutside},
    {"ParseExample", kPictures, kOutside},
    {"ParseExampleV2", kPictures, kOutside},
    {"ParseSingleExample", kPictures, kOutside},
    {"PyFunc", kPython, kAsOperators},
    {"PyFuncStateless", kPython, kAsOperators},
    {"QuantizeV2", kOldInt8, kFakeQuant},
    {"QuantizedBiasAdd", kOldInt8, kFakeQuant},
    {"QuantizedConv2D", kOldInt8, kFakeQuant},
    {"QuantizedMatMul", kOldInt8, kFakeQuant},
    {"QuantizedMaxPool", kOldInt8, kFakeQuant},
    {"QuantizedRelu", kOldInt8, kFakeQuant},
    {"QueueDequeueV2", kState, kStateOut},
    {"RFFT", kComplex, kSpectrum},
    {"RFFT2D", kComplex, kSpectrum},
    {"RandomShuffle", kRandom, kGiveNumbers},
    {"RandomStandardNormal", kRandom, kGiveNumbers},
    {"RandomUniform", kRandom, kGiveNumbers},
    {"RandomUniformInt", kRandom, kGiveNumbers},
    {"ReadFile", kPictures, kOutside},
    {"Real", kComplex, kSpectrum},
    {"ReduceJoin", kTexts, kOutside},
    {"RegexFullMatch", kTexts, kOutside},
    {"RegexReplace", kTexts, kOutside},
    {"ReluGrad", kTraining, kWithoutTraining},
    {"Requantize", kOldInt8, kFakeQuant},
    {"ResourceApplyAdam", kTraining, kWithoutTraining},
    {"ResourceApplyGradientDescent", kTraining, kWithoutTraining},
    {"ResourceScatterUpdate", kState, kStateOut},
    {"ScatterUpdate", kState, kStateOut},
    {"SparseConcat", kSparse, kDense},
    {"SparseFillEmptyRows", kSparse, kDense},
    {"SparseReorder", kSparse, kDense},
    {"SparseReshape", kSparse, kDense},
    {"SparseSegmentMean", kSparse, kDense},
    {"SparseSegmentSum", kSparse, kDense},
    {"SparseTensorDenseMatMul", kSparse, kDense},
    {"SparseToDense", kSparse, kDense},
    {"StatelessRandomNormal", kRandom, kGiveNumbers},
    {"StatelessRandomNormalV2", kRandom, kGiveNumbers},
    {"StatelessRandomUniform", kRandom, kGiveNumbers},
    {"StatelessRandomUniformV2", kRandom, kGiveNumbers},
    {"StatelessTruncatedNormal", kRandom, kGiveNumbers},
    {"StaticRegexFullMatch", kTexts, kOutside},
    {"StaticRegexReplace", kTexts, kOutside},
    {"StringFormat", kTexts, kOutside},
    {"StringJoin", kTexts, kOutside},
    {"StringLength", kTexts, kOutside},
    {"StringLower", kTexts, kOutside},
    {"StringSplit", kTexts, kOutside},
    {"StringSplitV2", kTexts, kOutside},
    {"StringToHashBucketFast", kTexts, kOutside},
    {"StringToNumber", kTexts, kOutside},
    {"Substr", kTexts, kOutside},
    {"TensorArray", kOldArray, kNewArray},
    {"TensorArrayClose", kOldArray, kNewArray},
    {"TensorArrayCloseV2", kOldArray, kNewArray},
    {"TensorArrayConcat", kOldArray, kNewArray},
    {"TensorArrayConcatV2", kOldArray, kNewArray},
    {"TensorArrayGather", kOldArray, kNewArray},
    {"TensorArrayGatherV2", kOldArray, kNewArray},
    {"TensorArrayGrad", kTraining, kWithoutTraining},
    {"TensorArrayGradV2", kTraining, kWithoutTraining},
    {"TensorArrayGradV3", kTraining, kWithoutTraining},
    {"TensorArrayGradWithShape", kTraining, kWithoutTraining},
    {"TensorArrayPack", kOldArray, kNewArray},
    {"TensorArrayRead", kOldArray, kNewArray},
    {"TensorArrayReadV2", kOldArray, kNewArray},
    {"TensorArrayScatter", kOldArray, kNewArray},
    {"TensorArrayScatterV2", kOldArray, kNewArray},
    {"TensorArraySize", kOldArray, kNewArray},
    {"TensorArraySizeV2", kOldArray, kNewArray},
    {"TensorArraySplit", kOldArray, kNewArray},
    {"TensorArraySplitV2", kOldArray, kNewArray},
    {"TensorArrayUnpack", kOldArray, kNewArray},
    {"TensorArrayV2", kOldArray, kNewArray},
    {"TensorArrayWrite", kOldArray, kNewArray},
    {"TensorArrayWriteV2", kOldArray, kNewArray},
    {"TensorListElementShape",
     "it asks a list for the shape that was declared for its elements, which is not known of a list in ONNX",
     "ask an element for its shape (tf.shape)"},
    {"TensorListPushBackBatch", "it works on a tensor of lists", "push onto each list by itself"},
    {"TruncatedNormal", kRandom, kGiveNumbers},
    {"UnicodeDecodeWithOffsets", kTexts, kOutside},
    {"Unique", kValues, kCount},
    {"UniqueV2", kValues, kCount},
    {"UniqueWithCounts", kValues, kCount},
};

}  // namespace

std::span<const frontend::Refused> refused() { return kRefused; }

}  // namespace lapis::tensorflow_frontend
