#include "replay/workload.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define SECOND 1000000.
#define HALF_AN_HOUR 1800.
#define PI 3.14159265358979323846

/* A generator with its chance and its clock, in seconds. */
struct maker {
        struct workload *load;
        size_t room;
        uint64_t seed;
        double now;
};

static double chance(struct maker *maker) /* above 0 and below 1 */
{
        maker->seed ^= maker->seed << 13;
        maker->seed ^= maker->seed >> 7;
        maker->seed ^= maker->seed << 17;
        return ((double)(maker->seed >> 11) + 0.5) / 9007199254740992.;
}

static double exponential(struct maker *maker, double mean)
{
        return -mean * log(chance(maker));
}

static double lognormal(struct maker *maker, double median)
{
        double radius = sqrt(-2 * log(chance(maker)));
        return median * exp(radius * cos(2 * PI * chance(maker)));
}

static void add(struct workload *load, size_t *room, const struct request *request)
{
        if (load->count == *room) {
                *room = *room > 0 ? 2 * *room : 1024;
                struct request *more = realloc(load->requests, *room * sizeof(*more));
                if (!more)
                        abort();
                load->requests = more;
        }
        load->requests[load->count++] = *request;
}

static void come(struct maker *maker, double duration)
{
        const struct request request = {.at_us = (uint64_t)(maker->now * SECOND),
                                        .duration_us = (uint64_t)(duration * SECOND) + 1};
        add(maker->load, &maker->room, &request);
}

/* --- the kinds ---------------------------------------------------------------------------------------------------- */

static void make_two_states(struct workload *load)
{
        struct maker maker = {.load = load, .seed = 1};
        bool high = true;
        double until = 0;

        while (maker.now < HALF_AN_HOUR) {
                if (maker.now >= until) {
                        high = !high;
                        until = maker.now + exponential(&maker, high ? 5 : 55);
                }
                maker.now += exponential(&maker, 1. / (high ? 120 : 10));
                come(&maker, lognormal(&maker, 0.05));
        }
}

static void make_diurnal(struct workload *load)
{
        struct maker maker = {.load = load, .seed = 2};

        while (maker.now < 2 * HALF_AN_HOUR) {
                double rate = 1 + 19 * (1 - cos(2 * PI * maker.now / HALF_AN_HOUR)) / 2;
                maker.now += exponential(&maker, 1 / rate);
                come(&maker, lognormal(&maker, 0.1));
        }
}

static void make_flash_crowd(struct workload *load)
{
        struct maker maker = {.load = load, .seed = 3};

        while (maker.now < HALF_AN_HOUR) {
                double since = maker.now - 600;
                double rate = since < 0 ? 5 : 5 + 195 * exp(-since / 60);
                maker.now += exponential(&maker, 1 / rate);
                come(&maker, lognormal(&maker, 0.1));
        }
}

static void make_on_off(struct workload *load)
{
        struct maker maker = {.load = load, .seed = 4};

        while (maker.now < HALF_AN_HOUR) {
                double until = maker.now + 20;
                while (maker.now < until) {
                        come(&maker, lognormal(&maker, 0.1));
                        maker.now += exponential(&maker, 1. / 40);
                }
                maker.now += 40;
        }
}

static void make_heavy_tails(struct workload *load)
{
        struct maker maker = {.load = load, .seed = 5};

        while (maker.now < HALF_AN_HOUR) {
                maker.now += exponential(&maker, 1. / 20);
                come(&maker, fmin(0.02 / pow(chance(&maker), 1 / 1.3), 120)); /* Pareto */
        }
}

static void make_steady(struct workload *load)
{
        struct maker maker = {.load = load, .seed = 6};

        while (maker.now < HALF_AN_HOUR) {
                maker.now += exponential(&maker, 1. / 30);
                come(&maker, lognormal(&maker, 0.1));
        }
}

const struct workload_kind workload_kinds[] = {
        {"two states", "10 requests a second for 55 s, 120 for 5 s, on the average", make_two_states},
        {"diurnal", "1 to 20 requests a second, and back, twice", make_diurnal},
        {"flash crowd", "5 requests a second; after 10 minutes 200, which become fewer within minutes",
         make_flash_crowd},
        {"on/off", "40 requests a second for 20 s, then none for 40 s", make_on_off},
        {"heavy tails", "20 requests a second, some of which last minutes", make_heavy_tails},
        {"steady", "30 requests a second", make_steady},
        {0},
};

void workload_make(struct workload *load, const struct workload_kind *kind)
{
        *load = (struct workload){.name = kind->name};
        kind->make(load);
}

/* --- traces ------------------------------------------------------------------------------------------------------- */

/* A number, and what must stand behind it; that may be nothing. */
static bool read_number(const char **at, char behind, double *ret)
{
        char *end;

        *ret = strtod(*at, &end);
        if (end == *at || (behind != '\0' && *end != behind))
                return false;
        *at = end + (behind != '\0');
        return true;
}

static bool read_line(const char *line, double *at, struct request *request)
{
        const char *rest = strchr(line, ' '); /* behind the date */
        double hour, minute, second, input, generated;

        if (!rest || !read_number(&rest, ':', &hour) || !read_number(&rest, ':', &minute) ||
            !read_number(&rest, ',', &second) || !read_number(&rest, ',', &input) ||
            !read_number(&rest, '\0', &generated))
                return false;
        *at = hour * 3600 + minute * 60 + second;
        request->duration_us = MAX_OF((uint64_t)(generated * 10000 + input * 200), (uint64_t)2000);
        return true;
}

static int by_time(const void *a, const void *b)
{
        const struct request *one = a, *other = b;
        return one->at_us < other->at_us ? -1 : one->at_us > other->at_us;
}

int workload_read(struct workload *load, const char *name, const char *path)
{
        _cleanup_(file_closep) FILE *file = fopen(path, "re");
        char line[256];
        size_t room = 0;
        double at, first = -1;
        struct request request;

        *load = (struct workload){.name = name};
        if (!file)
                return -errno;
        while (fgets(line, sizeof(line), file)) {
                if (!read_line(line, &at, &request))
                        continue;
                first = first < 0 ? at : first;
                request.at_us = (uint64_t)(fmax(at - first, 0) * SECOND);
                add(load, &room, &request);
        }
        qsort(load->requests, load->count, sizeof(*load->requests), by_time);
        return load->count > 0 ? 0 : -EPROTO;
}

int workload_read_served(struct workload *load, const char *name, const char *path)
{
        _cleanup_(file_closep) FILE *file = fopen(path, "re");
        char line[256], *rest;
        size_t room = 0;

        *load = (struct workload){.name = name};
        if (!file)
                return -errno;
        while (fgets(line, sizeof(line), file)) {
                uint64_t at_us = strtoull(line, &rest, 10), duration_us = strtoull(rest, NULL, 10);
                add(load, &room, &(struct request){.at_us = at_us, .duration_us = MAX_OF(duration_us, UINT64_C(1))});
        }
        qsort(load->requests, load->count, sizeof(*load->requests), by_time);
        return load->count > 0 ? 0 : -EPROTO;
}

void workload_free(struct workload *load)
{
        free(load->requests);
        *load = (struct workload){0};
}
