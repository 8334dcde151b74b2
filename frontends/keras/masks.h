// Which steps layers leave out. Masks are not in the file: layers make them (Masking, Embedding), hand them on beside
// their data, combine them, or lose them, as their classes in Keras do. Here they are values like others: operands of
// the layers that heed them.
//
//   ids -> Embedding -> LSTM    becomes    ids -> Embedding -> LSTM
//                                             \-> Embedding.mask -/
#pragma once

#include <optional>

#include "frontends/keras/config.h"

namespace lapis::keras_frontend {

class Masks {
 public:
  explicit Masks(int64_t keras_version) : version_(keras_version) {}

  // Gives a layer whose slots are filled the masks of its data, where it heeds them and was given no others.
  // Why that cannot be; "" if it is.
  std::string hand_over(frontend::SourceNode& node, bool was_given_masks) const;
  // The mask that the result of such a layer has: "" for none;
  // a node where it must be computed first, whose output is the mask.
  struct Made {
    std::string name;
    std::optional<frontend::SourceNode> node = {};
  };
  Made made_by(const frontend::SourceNode& node, const Json& config) const;
  // What such a layer does to the masks of its data: an attention of Keras 3 takes them away.
  void take_away(const frontend::SourceNode& node);

  void note(const std::string& value, const std::string& mask) {
    if (!mask.empty()) masks_[value] = mask;
  }
  // A wrapper takes data with this mask apart, and the mask with it. All steps together have the one of the data.
  Made taken_apart(const std::string& name, const std::string& mask) const;
  void note_steps(const std::string& steps, const std::string& step, const std::string& mask);
  std::string of(const std::string& value) const;

 private:
  Made merged(const frontend::SourceNode& node) const;
  Made concatenated(const frontend::SourceNode& node) const;

  int64_t version_;
  std::map<std::string, std::string> masks_;  // by value
};

}  // namespace lapis::keras_frontend
