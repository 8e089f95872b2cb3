#include "preload/rollback/mappings.h"

#include <stdio.h>

#include "lib/sys.h"
#include "preload/rollback/kernel_abi.h"

#define DEVICE_MINOR_BITS 20

static int read_queries(int maps_fd, struct mappings *ret)
{
        uint64_t at = 0;

        ret->count = 0;
        for (;;) {
                struct abi_map_query query = {
                        .size = sizeof(query), .query_flags = ABI_MAP_QUERY_OR_NEXT, .address = at};
                long r = SYS_3(__NR_ioctl, maps_fd, ABI_MAP_QUERY, &query);
                if (r == -ENOENT)
                        return 0;
                if (r < 0)
                        return (int)r;
                if (ret->count == MAPPINGS_MOST)
                        return -E2BIG;
                ret->all[ret->count++] = (struct mapping){
                        .start = query.start,
                        .end = query.end,
                        .offset = query.offset,
                        .inode = query.inode,
                        .device = query.device_major << DEVICE_MINOR_BITS | query.device_minor,
                        .flags = (uint32_t)query.flags & 15U,
                };
                at = query.end;
        }
}

/* 16 or more: none */
static unsigned digit_of(char character)
{
        if (character >= 'a')
                return (unsigned)(character - 'a') + 10;
        return character >= '0' && character <= '9' ? (unsigned)(character - '0') : 16;
}

static uint64_t read_number(const char **text, unsigned base)
{
        uint64_t value = 0;

        for (; digit_of(**text) < base; ++*text)
                value = value * base + digit_of(**text);
        return value;
}

/* start-end rwxp offset major:minor inode name */
static struct mapping read_line(const char **text)
{
        struct mapping mapping = {0};

        mapping.start = read_number(text, 16);
        ++*text;
        mapping.end = read_number(text, 16);
        mapping.flags = ((*text)[1] == 'r' ? MAPPING_READ : 0U) | ((*text)[2] == 'w' ? MAPPING_WRITE : 0U) |
                        ((*text)[3] == 'x' ? MAPPING_EXECUTE : 0U) | ((*text)[4] == 's' ? MAPPING_SHARED : 0U);
        *text += 6;
        mapping.offset = read_number(text, 16);
        ++*text;
        mapping.device = (uint32_t)read_number(text, 16) << DEVICE_MINOR_BITS;
        ++*text;
        mapping.device |= (uint32_t)read_number(text, 16);
        ++*text;
        mapping.inode = read_number(text, 10);
        while (**text == ' ')
                ++*text;
        return mapping;
}

static bool is_aio(const char *name)
{
        static const char aio[] = "/[aio]";

        for (size_t i = 0; i < sizeof(aio) - 1; i++)
                if (name[i] != aio[i])
                        return false;
        return true;
}

/* Take in the whole lines of ret->text. Returns how many bytes that were, or -E2BIG. */
static long take_lines(struct mappings *ret, size_t length)
{
        const char *text = ret->text;

        for (;;) {
                const char *end = text;
                while (end < ret->text + length && *end != '\n')
                        end++;
                if (end == ret->text + length)
                        return text - ret->text;
                struct mapping mapping = read_line(&text);
                if (mapping.start >> 63 == 0) { /* else the vsyscall page, which is no mapping */
                        if (ret->count == MAPPINGS_MOST)
                                return -E2BIG;
                        ret->has_aio = ret->has_aio || is_aio(text);
                        ret->all[ret->count++] = mapping;
                }
                text = end + 1;
        }
}

int mappings_read_text(int maps_fd, struct mappings *ret)
{
        size_t length = 0;

        ret->count = 0;
        ret->has_aio = false;
        if (SYS_3(__NR_lseek, maps_fd, 0, SEEK_SET) < 0)
                return -EIO;
        for (;;) {
                long r = SYS_3(__NR_read, maps_fd, ret->text + length, sizeof(ret->text) - length);
                if (r <= 0)
                        return (int)r;
                length += (size_t)r;
                long taken = take_lines(ret, length);
                if (taken < 0)
                        return (int)taken;
                length -= (size_t)taken;
                for (size_t i = 0; i < length; i++)
                        ret->text[i] = ret->text[(size_t)taken + i];
        }
}

int mappings_read(int maps_fd, struct mappings *ret)
{
        int r = read_queries(maps_fd, ret);

        return r == 0 || r == -E2BIG ? r : mappings_read_text(maps_fd, ret);
}

static bool is_equal(const struct mapping *a, const struct mapping *b)
{
        return a->start == b->start && a->end == b->end && a->flags == b->flags && a->offset == b->offset &&
               a->inode == b->inode && a->device == b->device;
}

bool mappings_equal(const struct mappings *a, const struct mappings *b)
{
        if (a->count != b->count)
                return false;
        for (size_t i = 0; i < a->count; i++)
                if (!is_equal(&a->all[i], &b->all[i]))
                        return false;
        return true;
}

/* The mapping at *index and its neighbours that could be one with it. */
static struct mapping next_merged(const struct mappings *list, size_t *index)
{
        struct mapping merged = list->all[(*index)++];

        for (; *index < list->count; ++*index) {
                const struct mapping *next = &list->all[*index];
                if (next->start != merged.end || next->flags != merged.flags || next->inode != 0 || merged.inode != 0)
                        break;
                merged.end = next->end;
        }
        return merged;
}

bool mappings_are_alike(const struct mappings *a, const struct mappings *b)
{
        size_t i = 0;
        size_t j = 0;

        while (i < a->count && j < b->count) {
                struct mapping x = next_merged(a, &i);
                struct mapping y = next_merged(b, &j);
                if (!is_equal(&x, &y))
                        return false;
        }
        return i == a->count && j == b->count;
}
