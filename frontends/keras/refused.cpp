// Keras' layers that have no translator: they are called unsupported, not unknown.
#include "frontends/keras/import.h"

namespace lapis::keras_frontend {
namespace {

constexpr const char* kNotYet = "Lapis does not translate this layer";
constexpr const char* kExport =
    "model.export(FOLDER) writes a SavedModel, where the layer consists of operators; Lapis reads that too";
constexpr const char* kTexts = "it works on texts, or on hashes of them";
constexpr const char* kSound = "it computes the spectrum of a sound";
constexpr const char* kOutside = "do it in the program around the model, and begin the model behind it";
constexpr const char* kAugments = "it changes pictures at random, for training";
constexpr const char* kContrast = "it stretches the contrast of each picture by what that holds";
constexpr const char* kCells = "its cell is none of LSTMCell, GRUCell and SimpleRNNCell";
constexpr const char* kCrops = "what it does outside of training differs between versions of Keras";
constexpr const char* kForeign = "it calls a model of another program, which the file does not hold";
constexpr const char* kWithoutIt = "leave it out of the model that is saved";
constexpr const char* kSlices =
    "it is an operator of TensorFlow between layers that Lapis does not read from this file";

constexpr frontend::Refused kRefused[] = {
    {"AutoContrast", kContrast, kOutside},
    {"ContrastLimitedAdaptiveHistogramEqualization", kContrast, kOutside},
    {"Equalization", kAugments, kWithoutIt},
    {"FlaxLayer", kForeign, kExport},
    {"HashedCrossing", kTexts, kOutside},
    {"Hashing", kTexts, kOutside},
    {"JaxLayer", kForeign, kExport},
    {"MaxNumBoundingBoxes", kNotYet, kExport},
    {"MelSpectrogram", kSound, kOutside},
    {"Pipeline", kNotYet, kExport},
    {"RNN", kCells, kExport},
    {"RandomCrop", kCrops, kWithoutIt},
    {"STFTSpectrogram", kSound, kOutside},
    {"SlicingOpLambda", kSlices, kExport},
    {"StringLookup", kTexts, kOutside},
    {"TFSMLayer", kForeign, kExport},
    {"TensorFlowOpLayer", kSlices, kExport},
    {"TextVectorization", kTexts, kOutside},
    {"TorchModuleWrapper", kForeign, kExport},
};

}  // namespace

std::span<const frontend::Refused> refused() { return kRefused; }

}  // namespace lapis::keras_frontend
