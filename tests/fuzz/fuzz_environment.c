/* An environment file: what is taken is a variable that a handler can have, and comes back from the canonical form. */
#include "base/problem.h"
#include "base/text.h"
#include "base/words.h"
#include "fuzz.h"
#include "logic/config/environment_file.h"
#include "logic/config/variables.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct words words = {0}, kept = {0}, again = {0};
        struct problem_list problems = {0};
        struct text text = {0};
        char *bytes = fuzz_string(data, size);

        MUST(environment_file_parse("file", bytes, size, &words, &problems) == 0);
        for (size_t i = 0; i < words.count; i++) {
                size_t length = variables_name_length(words.list[i]);
                MUST(length > 0 && words.list[i][length] == '=');
                MUST(text_printable_length(words.list[i], strlen(words.list[i])) == strlen(words.list[i]));
        }
        MUST(variables_keep_last(&words, &kept) == 0);
        MUST(kept.count <= words.count && (kept.count > 0) == (words.count > 0));
        MUST(words_join(&text, &kept) == 0);
        MUST(words_split(text_string(&text), &again) == 0);
        MUST(again.count == kept.count);
        for (size_t i = 0; i < kept.count; i++)
                MUST(strcmp(again.list[i], kept.list[i]) == 0);
        words_clear(&words);
        words_clear(&kept);
        words_clear(&again);
        problem_list_clear(&problems);
        text_clear(&text);
        free(bytes);
        return 0;
}
