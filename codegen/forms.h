// What varies between the shapes that one model is run at, found by comparing its plans at two of them. Loops of other shapes that are alike
// get their form, so that they find the code that has been emitted for it.
//
//   const Forms forms(at_128, at_192);
//   forms.attach(at_37);                     // codegen::emit then makes code for any length, or finds it
#pragma once

#include "codegen/plan.h"

namespace lapis::codegen {

class Forms {
 public:
  // `nominal` decides how loops are walked: it should be of a size that is worth dividing.
  Forms(const Plan& nominal, const Plan& other);
  void attach(Plan& plan) const;

 private:
  struct Form {
    Loop loop;                             // at the nominal shape
    std::shared_ptr<const LoopForm> form;  // null where nothing varies, or what is no number does
  };
  std::vector<Form> forms_;  // by step
};

}  // namespace lapis::codegen
