#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "base/problem.h"

#define MESSAGE_MAX 3001

static struct log_sink sink;
static int max_wanted_priority = LOG_INFO;

void log_set_sink(const struct log_sink *new_sink, int max_priority)
{
        sink = new_sink ? *new_sink : (struct log_sink){0};
        max_wanted_priority = max_priority;
}

int log_wants(int priority)
{
        return sink.write != NULL && priority <= max_wanted_priority;
}

void log_emit(int priority, const struct log_fields *fields, const char *format, ...)
{
        char message[MESSAGE_MAX];
        va_list arguments;

        if (!log_wants(priority))
                return;
        int saved_errno = errno;
        va_start(arguments, format);
        vsnprintf(message, sizeof(message), format, arguments);
        va_end(arguments);
        const struct log_record record = {
                .priority = priority, .fields = fields ? *fields : (struct log_fields){0}, .message = message};
        sink.write(sink.context, &record);
        errno = saved_errno;
}

void log_emit_many(const struct log_record *records, size_t count)
{
        int saved_errno = errno;

        for (size_t i = 0, end; i < count; i = end) {
                end = i + 1;
                if (!log_wants(records[i].priority))
                        continue;
                while (sink.write_many && end < count && log_wants(records[end].priority))
                        end++;
                if (end > i + 1)
                        sink.write_many(sink.context, records + i, end - i);
                else
                        sink.write(sink.context, records + i);
        }
        errno = saved_errno;
}

void log_problems(const struct problem_list *problems)
{
        for (size_t i = 0; i < problems->count; i++) {
                const struct problem *problem = &problems->items[i];
                const struct log_fields fields = {.file = problem->file, .line = problem->line};
                log_emit(problem->warning ? LOG_WARNING : LOG_ERR, &fields, "%s", problem->text);
        }
}
