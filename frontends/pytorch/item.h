// Item: what Python objects of a model are to us: numbers, strings, lists, tensors, modules. Pickles hold them,
// TorchScript computes with them, operators take them as arguments.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/tensor.h"

namespace lapis::pytorch_frontend {

struct Object;

struct Item {
  enum class Kind : uint8_t {
    None,
    Bool,
    Int,
    Float,
    String,
    Weight,  // a tensor with its elements
    Tensor,  // one that is computed: the name of a value
    Symbol,  // a number or truth value that is computed, likewise
    Sizes,   // those of a tensor, by its name
    List,
    Tuple,
    Dict,      // keys and values in turn
    Object,    // of a class, such as a module
    Global,    // a class or function of Python, by name
    Optional,  // two elements: whether there is one, and the value
    Unset,     // a variable that the way taken did not set; its text says why it cannot be read, if it cannot
  };
  Kind kind = Kind::None;
  bool truth = false;  // of a string: its text is not known
  int64_t integer = 0;
  double real = 0;
  std::string text;                          // of a string, a name of a value, a global
  std::shared_ptr<const Tensor> weight;      // may be undefined: a storage that holds nothing
  std::shared_ptr<std::vector<Item>> items;  // lists are shared, as in Python
  std::shared_ptr<Object> object;
  int depth = 0;    // of lists within each other, as they were made
  int storage = 0;  // of weights: those of one number lie over the same bytes of a pickle; 0: over their own

  static Item of_bool(bool value);
  static Item of_int(int64_t value);
  static Item of_float(double value);
  static Item of_string(std::string value);
  static Item of_weight(Tensor tensor);
  static Item tensor(std::string name);
  static Item symbol(std::string name);
  static Item sizes(std::string name);
  static Item unknown_text();  // what a message says of a value that is computed
  static Item list(std::vector<Item> items, Kind kind = Kind::List);
  static Item global(std::string name);
  static Item unset(std::string why = "");

  bool is(Kind k) const { return kind == k; }
  bool is_none() const { return kind == Kind::None; }
  bool is_tensor() const { return kind == Kind::Tensor || kind == Kind::Weight; }
  bool is_sequence() const { return kind == Kind::List || kind == Kind::Tuple; }
  bool is_text() const { return kind == Kind::String && !truth; }  // that is known
  const std::vector<Item>& elements() const;                       // of a list, tuple or dict; none of others
  const Item* find(const std::string& key) const;                  // in a dict with strings as keys
  bool is_flat() const;                                            // a number, string or tensor, or a list of such
  std::string description() const;                                 // "a list", for messages
};

inline constexpr const char* kState =
    "$state";  // the attribute that holds what a pickle gives an object instead of attributes

inline constexpr const char* kTensorOfParts = "$parts";  // the type of a tensor that consists of others, its attributes

struct Object {
  std::string type;  // "__torch__.torch.nn.modules.conv.Conv2d"
  std::string path;  // of the module within the model: "layer1.conv1"
  std::map<std::string, Item, std::less<>> attributes;
};

// A tensor of integers that stand for reals, with what a pickle says of it:
// (scheme, scales, zero points, axis). script_quantized.cpp
Item quantized_weight(Item integers, const std::vector<Item>& parameters);

}  // namespace lapis::pytorch_frontend
