#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/options.h"

typedef struct target {
  const char *db, *vault;
  uint64_t memory_mib, big;
  bool debug;
} target;

static const option_spec specs[] = {
    OPTION_TEXT(target, db, "db", "URL", "the database"),
    OPTION_TEXT(target, vault, "vault", "NAME", "the vault"),
    OPTION_NUMBER(target, memory_mib, "memory-mib", "N", 4, 2048, "memory"),
    OPTION_NUMBER(target, big, "big", "N", 0, UINT64_MAX, "any number"),
    OPTION_FLAG(target, debug, "debug", "look closer"),
};
static const option_table table = {"eval", specs, sizeof specs / sizeof *specs, false, NULL};
static const option_table stopping = {"run", specs, sizeof specs / sizeof *specs, true, NULL};

#define WORDS_MAX 16

typedef struct outcome {
  target target;
  option_result result;
  char *words[WORDS_MAX + 1];
  char message[256];
  bool parsed;
} outcome;

/* Parses words after the command's name; the list ends with NULL. */
static void parse(const option_table *with, outcome *got, const char *const *words) {
  *got = (outcome){.target = {.db = "default.db", .memory_mib = 64}};
  int count = 0;
  got->words[count++] = (char *)"command";
  for (; *words; words++)
    got->words[count++] = (char *)*words;
  got->parsed = options_parse(with, count, got->words, &got->target, &got->result, got->message,
                              sizeof got->message);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void assert_fails(const char *const *words, const char *message) {
  outcome got;
  parse(&table, &got, words);
  assert_false(got.parsed);
  assert_string_equal(got.message, message);
}

static void test_defaults_stay(void **state) {
  (void)state;
  outcome got;
  parse(&table, &got, (const char *const[]){NULL});
  assert_true(got.parsed);
  assert_string_equal(got.target.db, "default.db");
  assert_int_equal(got.target.memory_mib, 64);
  assert_false(got.target.debug);
  assert_int_equal(got.result.count, 0);
  assert_int_equal(got.result.given, 0);
}

static void test_both_forms(void **state) {
  (void)state;
  outcome got;
  parse(&table, &got, WORDS("--db", "sqlite:a", "--vault=v=1", "--memory-mib=4", "--debug"));
  assert_true(got.parsed);
  assert_string_equal(got.target.db, "sqlite:a");
  assert_string_equal(got.target.vault, "v=1");
  assert_int_equal(got.target.memory_mib, 4);
  assert_true(got.target.debug);
  assert_true(options_given(&table, &got.result, "db"));
  assert_false(options_given(&table, &got.result, "big"));
  assert_false(options_given(&table, &got.result, "nonsense"));
}

static void test_arguments_keep_their_order(void **state) {
  (void)state;
  outcome got;
  parse(&table, &got, WORDS("a", "--db", "x", "-", "--debug", "b", "--", "--vault", "c"));
  assert_true(got.parsed);
  assert_int_equal(got.result.count, 5);
  static const char *const expected[] = {"a", "-", "b", "--vault", "c"};
  for (int i = 0; i < 5; i++)
    assert_string_equal(got.result.arguments[i], expected[i]);
  assert_null(got.result.arguments[5]);
  assert_null(got.target.vault);
}

static void test_stops_at_the_first_argument(void **state) {
  (void)state;
  outcome got;
  parse(&stopping, &got, WORDS("--debug", "file.js", "--db", "--unknown", "--"));
  assert_true(got.parsed);
  assert_true(got.target.debug);
  assert_int_equal(got.result.count, 4);
  assert_string_equal(got.result.arguments[0], "file.js");
  assert_string_equal(got.result.arguments[3], "--");
  assert_string_equal(got.target.db, "default.db");
}

static void test_numbers(void **state) {
  (void)state;
  uint64_t value = 7;
  assert_true(options_number("0", &value));
  assert_int_equal(value, 0);
  assert_true(options_number("18446744073709551615", &value));
  assert_true(value == UINT64_MAX);
  static const char *const bad[] = {
      "",   "18446744073709551616", "99999999999999999999", "-1", "+1", " 1", "1 ", "0x10", "1.0",
      "1e3"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_false(options_number(bad[i], &value));
  assert_true(value == UINT64_MAX);
}

static void test_number_bounds(void **state) {
  (void)state;
  outcome got;
  parse(&table, &got, WORDS("--memory-mib", "2048", "--big", "18446744073709551615"));
  assert_true(got.parsed);
  assert_int_equal(got.target.memory_mib, 2048);
  assert_true(got.target.big == UINT64_MAX);
  assert_fails(WORDS("--memory-mib", "4096"), "vow eval: --memory-mib 4096: must be 4 to 2048");
  assert_fails(WORDS("--memory-mib=3"), "vow eval: --memory-mib 3: must be 4 to 2048");
  assert_fails(WORDS("--memory-mib", "99999999999999999999999"),
               "vow eval: --memory-mib 99999999999999999999999: must be 4 to 2048");
  assert_fails(WORDS("--memory-mib", "64MB"),
               "vow eval: --memory-mib '64MB': must be a whole number from 4 to 2048");
  assert_fails(WORDS("--memory-mib", "-5"),
               "vow eval: --memory-mib '-5': must be a whole number from 4 to 2048");
  assert_fails(WORDS("--memory-mib="),
               "vow eval: --memory-mib '': must be a whole number from 4 to 2048");
}

static void test_unknown(void **state) {
  (void)state;
  assert_fails(WORDS("--memroy-mib=5"),
               "vow eval: unknown option --memroy-mib; did you mean --memory-mib?");
  assert_fails(WORDS("--vaults", "x"), "vow eval: unknown option --vaults; did you mean --vault?");
  assert_fails(WORDS("--zzzzzz"), "vow eval: unknown option --zzzzzz; see: vow help eval");
  assert_fails(WORDS("-d"), "vow eval: unknown option -d; see: vow help eval");
  assert_fails(WORDS("-debug"), "vow eval: unknown option -debug; did you mean --debug?");
  assert_fails(WORDS("--=x"), "vow eval: unknown option --; see: vow help eval");
  assert_fails(WORDS("--a\nb\x1b[31m"), "vow eval: unknown option --a?b?[31m; see: vow help eval");
}

static void test_two_word_command_names_the_help(void **state) {
  (void)state;
  option_table notes = table;
  notes.command = "notes put";
  outcome got;
  parse(&notes, &got, WORDS("--zzzzzz"));
  assert_string_equal(got.message, "vow notes put: unknown option --zzzzzz; see: vow help notes");
}

static void test_missing_extra_and_double_values(void **state) {
  (void)state;
  assert_fails(WORDS("--db"), "vow eval: --db needs a value: --db=URL");
  assert_fails(WORDS("--db", "--debug"), "vow eval: --db needs a value: --db=URL");
  assert_fails(WORDS("--debug=1"), "vow eval: --debug takes no value");
  assert_fails(WORDS("--debug", "--debug"), "vow eval: --debug is given twice");
  assert_fails(WORDS("--db=a", "--db", "b"), "vow eval: --db is given twice");
  outcome got;
  parse(&table, &got, WORDS("--db=--debug", "--vault="));
  assert_true(got.parsed);
  assert_string_equal(got.target.db, "--debug");
  assert_string_equal(got.target.vault, "");
  parse(&table, &got, WORDS("--db", "-"));
  assert_true(got.parsed);
  assert_string_equal(got.target.db, "-");
}

static void test_long_words_are_cut(void **state) {
  (void)state;
  char word[4096];
  memset(word, 'x', sizeof word - 1);
  memcpy(word, "--", 2);
  word[sizeof word - 1] = 0;
  outcome got;
  parse(&table, &got, WORDS(word));
  assert_false(got.parsed);
  assert_true(strlen(got.message) < 160);
  assert_non_null(strstr(got.message, "; see: vow help eval"));
  memcpy(word, "--memory-mib=", 13);
  parse(&table, &got, WORDS(word));
  assert_non_null(strstr(got.message, "must be a whole number"));
}

static void test_help_comes_from_the_table(void **state) {
  (void)state;
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  options_help(&table, out);
  fclose(out);
  assert_string_equal(text, "  --db URL        the database\n"
                            "  --vault NAME    the vault\n"
                            "  --memory-mib N  memory (4 to 2048)\n"
                            "  --big N         any number (0 to 18446744073709551615)\n"
                            "  --debug         look closer\n");
  free(text);
}

static void test_no_words_at_all(void **state) {
  (void)state;
  outcome got = {.parsed = false};
  assert_true(options_parse(&table, 0, got.words, &got.target, &got.result, got.message,
                            sizeof got.message));
  assert_int_equal(got.result.count, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_defaults_stay),
      cmocka_unit_test(test_both_forms),
      cmocka_unit_test(test_arguments_keep_their_order),
      cmocka_unit_test(test_stops_at_the_first_argument),
      cmocka_unit_test(test_numbers),
      cmocka_unit_test(test_number_bounds),
      cmocka_unit_test(test_unknown),
      cmocka_unit_test(test_two_word_command_names_the_help),
      cmocka_unit_test(test_missing_extra_and_double_values),
      cmocka_unit_test(test_long_words_are_cut),
      cmocka_unit_test(test_help_comes_from_the_table),
      cmocka_unit_test(test_no_words_at_all),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
