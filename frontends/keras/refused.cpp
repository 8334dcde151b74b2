// Keras' layers that have no translator: they are called unsupported, not unknown.
#include "frontends/keras/import.h"

namespace lapis::keras_frontend {
namespace {

constexpr const char* kNotYet = "Lapis does not translate this layer";
constexpr const char* kExport =
    "model.export(FOLDER) writes a SavedModel, where the layer consists of operators; Lapis reads that too";
constexpr const char* kTexts = "it looks texts or numbers up in a table, or sorts them into classes";
constexpr const char* kSound = "it computes the spectrum of a sound";
constexpr const char* kOutside = "do it in the program around the model, and begin the model behind it";
constexpr const char* kAugments = "it changes pictures at random, for training";
constexpr const char* kWithoutIt = "leave it out of the model that is saved";
constexpr const char* kSlices =
    "it is an operator of TensorFlow between layers that Lapis does not read from this file";

constexpr frontend::Refused kRefused[] = {
    {"AdditiveAttention", kNotYet, kExport},
    {"AugMix", kAugments, kWithoutIt},
    {"AutoContrast", kAugments, kWithoutIt},
    {"CategoryEncoding", kTexts, kOutside},
    {"CenterCrop", kNotYet, kExport},
    {"CutMix", kAugments, kWithoutIt},
    {"Discretization", kTexts, kOutside},
    {"Equalization", kAugments, kWithoutIt},
    {"GroupQueryAttention", kNotYet, kExport},
    {"HashedCrossing", kTexts, kOutside},
    {"Hashing", kTexts, kOutside},
    {"IntegerLookup", kTexts, kOutside},
    {"MaxNumBoundingBoxes", kNotYet, kExport},
    {"MelSpectrogram", kSound, kOutside},
    {"MixUp", kAugments, kWithoutIt},
    {"Pipeline", kNotYet, kExport},
    {"RNN", kNotYet, kExport},
    {"RandAugment", kAugments, kWithoutIt},
    {"RandomCrop", kAugments, kWithoutIt},
    {"STFTSpectrogram", kSound, kOutside},
    {"SlicingOpLambda", kSlices, kExport},
    {"Solarization", kAugments, kWithoutIt},
    {"SpectralNormalization", kNotYet, kExport},
    {"StackedRNNCells", kNotYet, kExport},
    {"StringLookup", kTexts, kOutside},
    {"TensorFlowOpLayer", kSlices, kExport},
    {"TextVectorization", kTexts, kOutside},
};

}  // namespace

std::span<const frontend::Refused> refused() { return kRefused; }

}  // namespace lapis::keras_frontend
