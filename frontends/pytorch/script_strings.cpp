#include "frontends/pytorch/script_strings.h"

#include <algorithm>
#include <cctype>

#include "frontends/pytorch/script_lists.h"

namespace lapis::pytorch_frontend {
namespace {

using Kind = Item::Kind;
using Items = std::vector<Item>;

constexpr size_t kLongest = 1 << 16;

// A string that may not be known, of others.
class Text {
 public:
  void add(std::string_view part) { text_ += part; }
  void add(const Item& part) {
    is_known_ &= part.is_text() && text_.size() + part.text.size() <= kLongest;
    if (is_known_) text_ += part.text;
  }
  Item item() && { return is_known_ ? Item::of_string(std::move(text_)) : Item::unknown_text(); }

 private:
  std::string text_;
  bool is_known_ = true;
};

// "{} of {}" of these.
Computed format(const Items& a) {
  Text text;
  if (!a[0].is_text()) return some(Item::unknown_text());
  std::string_view rest = a[0].text;
  for (size_t i = 1;; ++i) {
    const size_t at = rest.find("{}");
    text.add(rest.substr(0, at));
    if (at == std::string_view::npos) return some(std::move(text).item());
    if (i == a.size()) return failed("formats fewer values than its text has places for");
    text.add(text_of(a[i]));
    rest.remove_prefix(at + 2);
  }
}

// "%d of %s" of one value or a tuple of them; what has a width or a precision is not known.
Computed percent_format(const Items& given) {
  const bool has_tuple = given.size() == 2 && given[1].is(Kind::Tuple);
  Items a = has_tuple ? given[1].elements() : given;
  if (has_tuple) a.insert(a.begin(), given[0]);
  Text text;
  std::string_view rest = a[0].text;
  size_t i = 1;
  for (size_t at = rest.find('%'); at != std::string_view::npos; at = rest.find('%')) {
    text.add(rest.substr(0, at));
    const std::string_view kind = rest.substr(at + 1, 1);
    if (kind == "%")
      text.add("%");
    else if ((kind == "d" || kind == "i" || kind == "s") && i < a.size())
      text.add(text_of(a[i++]));
    else
      return some(Item::unknown_text());
    rest.remove_prefix(at + 2);
  }
  text.add(rest);
  return some(std::move(text).item());
}

Computed joined(const Items& a) {
  if (a.size() != 2 || !a[1].is(Kind::String)) return none();
  Text text;
  text.add(a[0]);
  text.add(a[1]);
  return some(std::move(text).item());
}

Computed joined_by(const Items& a) {
  if (a.size() != 2 || !a[1].is_sequence()) return none();
  Text text;
  for (size_t i = 0; i < a[1].elements().size(); ++i) {
    if (i > 0) text.add(a[0]);
    text.add(a[1].elements()[i]);
  }
  return some(std::move(text).item());
}

template <int (*Change)(int)> Computed changed(const Items& a) {
  std::string text = a[0].text;
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return static_cast<char>(Change(static_cast<unsigned char>(c))); });
  return some(Item::of_string(std::move(text)));
}

template <int (*Holds)(int)> Computed all_are(const Items& a) {
  const std::string& text = a[0].text;
  const bool holds =
      std::all_of(text.begin(), text.end(), [](char c) { return Holds(static_cast<unsigned char>(c)) != 0; });
  return some(Item::of_bool(!text.empty() && holds));
}

Computed starts(const Items& a) {
  return a.size() == 2 && a[1].is_text() ? some(Item::of_bool(a[0].text.starts_with(a[1].text))) : none();
}
Computed ends(const Items& a) {
  return a.size() == 2 && a[1].is_text() ? some(Item::of_bool(a[0].text.ends_with(a[1].text))) : none();
}
Computed contains(const Items& a) {
  return a.size() == 2 && a[1].is_text() ? some(Item::of_bool(a[0].text.find(a[1].text) != std::string::npos)) : none();
}
// Of the whole string; the compiler says where it begins and ends.
Computed found(const Items& a) {
  if (a.size() < 2 || !a[1].is_text() || (a.size() > 2 && !(a[2].is(Kind::Int) && a[2].integer == 0))) return none();
  const auto length = static_cast<int64_t>(a[0].text.size());
  if (a.size() > 3 && !(a[3].is(Kind::Int) && (a[3].integer == length || a[3].integer == -1))) return none();
  const size_t at = a[0].text.find(a[1].text);
  return some(Item::of_int(at == std::string::npos ? -1 : static_cast<int64_t>(at)));
}
Computed length(const Items& a) { return some(Item::of_int(static_cast<int64_t>(a[0].text.size()))); }

Computed replaced(const Items& a) {
  if (a.size() != 3 || !a[1].is_text() || !a[2].is_text() || a[1].text.empty()) return none();
  Text text;
  std::string_view rest = a[0].text;
  for (size_t at = rest.find(a[1].text); at != std::string_view::npos; at = rest.find(a[1].text)) {
    text.add(rest.substr(0, at));
    text.add(a[2]);
    rest.remove_prefix(at + a[1].text.size());
  }
  text.add(rest);
  return some(std::move(text).item());
}

Computed split(const Items& a) {
  if (a.size() != 2 || !a[1].is_text() || a[1].text.empty()) return none();
  Items parts;
  std::string_view rest = a[0].text;
  for (size_t at = rest.find(a[1].text); at != std::string_view::npos; at = rest.find(a[1].text)) {
    parts.push_back(Item::of_string(std::string(rest.substr(0, at))));
    rest.remove_prefix(at + a[1].text.size());
  }
  parts.push_back(Item::of_string(std::string(rest)));
  return some(Item::list(std::move(parts)));
}

Computed element(const Items& a) {
  if (a.size() != 2 || !a[1].is(Kind::Int)) return none();
  const auto at = position(a[1].integer, a[0].text.size());
  if (!at) return failed("takes a character that a string does not have");
  return some(Item::of_string(a[0].text.substr(*at, 1)));
}

Computed part(const Items& given) {
  const auto range = range_of(given, static_cast<int64_t>(given[0].text.size()));
  if (!range.ok()) return range.diagnostics();
  if (!*range) return none();
  std::string text;
  for (int64_t i = (*range)->begin; i < (*range)->end; i += (*range)->step)
    text += given[0].text[static_cast<size_t>(i)];
  return some(Item::of_string(std::move(text)));
}

struct StringRow {
  std::string_view name;
  Computed (*compute)(const Items&);
};
// Of what is not known, too.
constexpr StringRow kMessages[] = {{"add", joined}, {"format", format}, {"join", joined_by}};
constexpr StringRow kStrings[] = {
    {"__contains__", contains},
    {"__getitem__", element},
    {"endswith", ends},
    {"find", found},
    {"isalpha", all_are<std::isalpha>},
    {"isdigit", all_are<std::isdigit>},
    {"len", length},
    {"lower", changed<std::tolower>},
    {"percentFormat", percent_format},
    {"replace", replaced},
    {"slice", part},
    {"split", split},
    {"startswith", starts},
    {"upper", changed<std::toupper>},
};

}  // namespace

// TorchScript writes reals otherwise than Python does.
Item text_of(const Item& item) {
  switch (item.kind) {
    case Kind::String: return item;
    case Kind::Int: return Item::of_string(std::to_string(item.integer));
    case Kind::Bool: return Item::of_string(item.truth ? "True" : "False");
    case Kind::None: return Item::of_string("None");
    default: return Item::unknown_text();
  }
}

Computed compute_string(std::string_view function, const std::vector<Item>& arguments) {
  for (const StringRow& row : kMessages)
    if (row.name == function) return row.compute(arguments);
  if (!arguments[0].is_text()) return none();
  for (const StringRow& row : kStrings)
    if (row.name == function) return row.compute(arguments);
  return none();
}

}  // namespace lapis::pytorch_frontend
