// Why several frontends refuse the same kind of operator, in the same words.
#pragma once

namespace lapis::frontend::reason {

inline constexpr const char* kBoxes = "Lapis does not translate the choice of boxes";
inline constexpr const char* kComplex = "it works on complex numbers, for which Lapis has no code";
inline constexpr const char* kPython = "it calls back into a Python program, which the file does not hold";
inline constexpr const char* kRandom = "its result is random, so that nothing could be compared";
inline constexpr const char* kRecurrent =
    "it is a whole recurrent layer in one operator, which Lapis does not translate";
inline constexpr const char* kSparse = "it works on sparse tensors";
inline constexpr const char* kSpectrum =
    "compute spectra in the program around the model, or write them as products with constant cosines and sines";
inline constexpr const char* kValues = "the size of its result depends on values";

}  // namespace lapis::frontend::reason
