// What varies between the shapes that one model is run at, found by comparing its plans at two of them. Loops of other
// shapes that are alike get their form, so that they find the code that has been emitted for it.
//
//   Forms forms;
//   forms.add(at_128, at_192);
//   forms.attach(at_37);        // codegen::emit then makes code for any length, or finds it
//
// Not every shape has the same loops: what is packed at run time is packed in panels,
// and a length may leave a narrower one (blocking.h). Forms of shapes that are alike in that are found at extents that
// are.
#pragma once

#include <unordered_map>

#include "codegen/plan.h"

namespace lapis::codegen {

// Two extents that leave the same kinds of panels, steps and words as this one, and differ in how much of each.
struct AlikeExtents {
  int64_t nominal, other;
};
AlikeExtents extents_like(int64_t extent);
// The same of an extent that may be too short for what longer ones are given:
// products that are not worth packing are loops.
AlikeExtents short_extents_like(int64_t extent);

class Forms {
 public:
  // `nominal` decides how loops are walked: it should be of a size that is worth dividing.
  // Loops that have a form already keep it.
  void add(const Plan& nominal, const Plan& other);
  // To loops that have none yet. False if some are like none of these shapes, so that their code would be of one shape.
  bool attach(Plan& plan) const;

 private:
  struct Form {
    Loop loop;  // at the nominal shape
    std::shared_ptr<const LoopForm> form;
    bool varies;
  };
  void add(const Loop& nominal, const Loop& other);
  const Form* find(const Loop& loop) const;
  std::unordered_map<std::string, std::vector<Form>> forms_;  // by name of the loop, in order
};

}  // namespace lapis::codegen
