#include "logic/status/exposition.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "base/text.h"
#include "logic/status/status.h"

static void write_text(struct exposition *to, const char *string)
{
        if (to->r == 0)
                to->r = text_append(to->text, string);
}

/* Quoted, as the value of a label. */
static void write_value(struct exposition *to, const char *value)
{
        write_text(to, "\"");
        while (*value != '\0') {
                size_t plain = strcspn(value, "\\\"\n");
                if (to->r == 0)
                        to->r = text_append_bytes(to->text, value, plain);
                value += plain;
                if (*value != '\0')
                        write_text(to, *value == '\n' ? "\\n" : *value == '"' ? "\\\"" : "\\\\");
                value += *value != '\0';
        }
        write_text(to, "\"");
}

void exposition_begin_sample(struct exposition *to, const char *suffix, const struct status_pool *pool,
                             const char *label, const char *value)
{
        write_text(to, to->family->name);
        write_text(to, suffix);
        if (pool) {
                write_text(to, "{pool=");
                write_value(to, pool->name);
        }
        if (label) {
                write_text(to, pool ? "," : "{");
                write_text(to, label);
                write_text(to, "=");
                write_value(to, value);
        }
        write_text(to, pool || label ? "} " : " ");
}

static void end_sample(struct exposition *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void end_sample(struct exposition *to, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        if (to->r == 0)
                to->r = text_appendv(to->text, format, arguments);
        va_end(arguments);
        write_text(to, "\n");
}

void exposition_end_number(struct exposition *to, uint64_t number)
{
        end_sample(to, "%" PRIu64, number);
}

void exposition_end_ms(struct exposition *to, uint64_t ms)
{
        end_sample(to, "%" PRIu64 ".%03u", ms / 1000, (unsigned)(ms % 1000));
}

const char *metric_type_name(enum metric_type type)
{
        static const char *const names[] = {[METRIC_GAUGE] = "gauge",
                                            [METRIC_COUNTER] = "counter",
                                            [METRIC_HISTOGRAM] = "histogram",
                                            [METRIC_STATE_SET] = "stateset",
                                            [METRIC_INFO] = "info"};

        return names[type];
}

const char *metric_type_suffix(enum metric_type type)
{
        return type == METRIC_COUNTER ? "_total" : type == METRIC_INFO ? "_info" : "";
}

const char *metrics_content_type(enum metrics_format format)
{
        return format == METRICS_OPENMETRICS ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                             : "text/plain; version=0.0.4; charset=utf-8";
}

/* The text format knows fewer types, and names a family as its samples. */
void exposition_begin_family(struct exposition *to)
{
        const struct metric_family *family = to->family;
        bool is_open = to->format == METRICS_OPENMETRICS, is_special = family->type >= METRIC_STATE_SET;
        const char *suffix = is_open ? "" : metric_type_suffix(family->type);
        const char *type = metric_type_name(is_special && !is_open ? METRIC_GAUGE : family->type);

        if (to->r == 0)
                to->r = text_appendf(to->text, "# TYPE %s%s %s\n", family->name, suffix, type);
        if (to->r == 0 && is_open && family->unit)
                to->r = text_appendf(to->text, "# UNIT %s %s\n", family->name, family->unit);
        if (to->r == 0)
                to->r = text_appendf(to->text, "# HELP %s%s %s\n", family->name, suffix, family->help);
}

void exposition_end(struct exposition *to)
{
        if (to->format == METRICS_OPENMETRICS)
                write_text(to, "# EOF\n");
}
