// SPDX-License-Identifier: GPL-3.0-or-later
//
// A circular doubly linked list through a member of its elements. The list does not own them.
#pragma once

#include "base/base.h"

struct list {
    struct list *next, *previous;
};

// An empty list, or an element that is in none.
static inline void list_init(struct list *list)
{
    list->next = list->previous = list;
}

static inline bool list_empty(const struct list *list)
{
    return list->next == list;
}

static inline void list_append(struct list *list, struct list *element)
{
    element->previous = list->previous;
    element->next = list;
    list->previous->next = element;
    list->previous = element;
}

// Allowed for an element that is in no list.
static inline void list_remove(struct list *element)
{
    element->previous->next = element->next;
    element->next->previous = element->previous;
    list_init(element);
}
