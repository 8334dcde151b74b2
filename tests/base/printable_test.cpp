#include "base/printable.h"

#include <gtest/gtest.h>

#include "base/diagnostic.h"

namespace lapis {
namespace {

TEST(Printable, KeepsTextOfAnyScript) {
  for (const std::string text : {"", "conv_1/weight:0", "schön", "\xE5\xB1\x82", "\xF0\x9F\xA6\x8A", "a\\nb"})
    EXPECT_EQ(printable(text), text);
}

TEST(Printable, EscapesWhatIsNotUtf8) {
  EXPECT_EQ(printable("a\xFF"), "a\\xFF");
  EXPECT_EQ(printable("\xC3"), "\\xC3") << "cut short";
  EXPECT_EQ(printable("\xC3("), "\\xC3(") << "not continued";
  EXPECT_EQ(printable("\xC0\x80"), "\\xC0\\x80") << "longer than needed";
  EXPECT_EQ(printable("\xED\xA0\x80"), "\\xED\\xA0\\x80") << "half of a surrogate";
  EXPECT_EQ(printable("\xF5\x80\x80\x80"), "\\xF5\\x80\\x80\\x80") << "beyond Unicode";
}

TEST(Printable, EscapesWhatMovesTheCursorOrTurnsText) {
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(printable("a\nerror: b\r\t\x1B[2J\x7F"), "a\\nerror: b\\r\\t\\x1B[2J\\x7F");
  EXPECT_EQ(printable("\xC2\x9B\x32J"), "\\u{009B}2J") << "a control sequence of one character";
  EXPECT_EQ(printable("\xE2\x80\xAE"
                      "cod"),
            "\\u{202E}cod")
      << "right to left";
  EXPECT_EQ(printable("\xEF\xBB\xBF"), "\\u{FEFF}");
}

TEST(Cut, LeavesCharactersWhole) {
  EXPECT_EQ(cut("abc", 3), "abc");
  EXPECT_EQ(cut("abc", 2), "ab");
  EXPECT_EQ(cut("a\xC3\xA9z", 2), "a");
  EXPECT_EQ(cut("a\xC3\xA9z", 3), "a\xC3\xA9");
  EXPECT_EQ(cut("\xE2\x82\xAC", 2), "");
}

TEST(Printable, DiagnosticsCannotBeForged) {
  const Diagnostic d = error(ErrorKind::Input, "a\nb").at("node 'x\x1B[1m'").note("n\n").help("h\xFF");
  EXPECT_EQ(to_string(d), "node 'x\\x1B[1m': error: a\\nb\n  note: n\\n\n  hint: h\\xFF\n");
}

}  // namespace
}  // namespace lapis
