/* Requests of the control protocol, and words: a request that is understood can be written and is understood again. */
#include "base/text.h"
#include "base/words.h"
#include "fuzz.h"
#include "logic/protocol/control_request.h"

static void split(const char *string)
{
        struct words words = {0}, again = {0};
        struct text text = {0};

        if (words_split(string, &words) < 0)
                return;
        MUST(words_join(&text, &words) == 0);
        MUST(words_split(text_string(&text), &again) == 0);
        MUST(words.count == again.count);
        for (size_t i = 0; i < words.count; i++)
                MUST(strcmp(words.list[i], again.list[i]) == 0);
        words_clear(&words);
        words_clear(&again);
        text_clear(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct control_request request = {0};
        struct text error = {0};
        char *string = fuzz_string(data, size);

        int r = control_request_parse(string, size, &request, &error);
        if (r == 0) {
                MUST((unsigned)request.command < CONTROL_COMMAND_COUNT);
                MUST(control_command_find(control_command_name(request.command)) == (int)request.command);
                MUST(request.command != CONTROL_KILL_WORKER || request.worker > 0);
                control_request_clear(&request);
        } else
                MUST(error.length > 0);
        split(string);
        text_clear(&error);
        free(string);
        return 0;
}
