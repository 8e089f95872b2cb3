/* Fills in a manual page: copies INPUT to OUTPUT and puts a list that is made from a table of the program in the place
 * of each line that asks for one. Run by the build. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "logic/status/counters.h"
#include "logic/status/metrics.h"

static void print_counters(FILE *output)
{
        for (int id = 0; id < COUNTER_COUNT; id++)
                fprintf(output, ".It Ic %s\n%c%s.\n", counter_table[id].name, toupper(counter_table[id].help[0]),
                        counter_table[id].help + 1);
}

static void print_metrics(FILE *output)
{
        struct metric_family family;

        for (size_t i = 0; metric_family_get(i, &family); i++) {
                fprintf(output, ".It Ic %s%s", family.name, metric_type_suffix(family.type));
                fprintf(output, "\n.Em ( %s%s%s )\n%c%s.\n", metric_type_name(family.type), family.labels ? "; " : "",
                        family.labels ? family.labels : "", toupper(family.help[0]), family.help + 1);
        }
}

static const struct {
        const char *line;
        void (*print)(FILE *output);
} lists[] = {{".\\\" @counters@\n", print_counters}, {".\\\" @metrics@\n", print_metrics}};

static void copy(FILE *input, FILE *output)
{
        char line[1024];

        while (fgets(line, sizeof(line), input)) {
                size_t i = 0;
                while (i < ELEMENTS(lists) && strcmp(line, lists[i].line) != 0)
                        i++;
                if (i < ELEMENTS(lists))
                        lists[i].print(output);
                else
                        fputs(line, output);
        }
}

int main(int argc, char **argv)
{
        FILE *input = argc == 3 ? fopen(argv[1], "re") : NULL;
        FILE *output = input ? fopen(argv[2], "we") : NULL;

        if (!output) {
                fprintf(stderr, "usage: %s INPUT OUTPUT\n", argv[0]);
                return 2;
        }
        copy(input, output);
        int failed = ferror(input) | ferror(output);
        failed |= fclose(output);
        fclose(input);
        return failed ? 1 : 0;
}
