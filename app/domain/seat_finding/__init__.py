"""Finding seats: the best available ones, what a choice strands, and what else somebody may take.

Values in, values out. A caller needs one picture for each layout, and one number for each screening:

    picture = Picture(layout)                         # once per layout (0.1 s for 40,000 seats); keep it
    free = picture.free(taken_ids)                    # once per screening: whatever is free, as one whole number
    answer = best_available(picture, free, Wish(4), screening.prices)
    free &= ~answer.mask                              # the next command of the batch finds others (Found only)
    free |= picture.mask(released_ids)                # seats that were given back or ran out
    refuses(picture, free, picture.mask(ids), rule)   # may these seats be chosen by name?
    stranded(picture, free, picture.mask(ids), rule)  # if not: because of these
    suggestions(picture, free, wanted_ids)            # what may be taken instead

Who looks again and again while seats are taken and given back has a `Floor`, which finds the same:

    floor = Floor(picture, free)                      # once per screening; it changes with its seats
    answer = floor.best(Wish(4), screening.prices)    # it remembers what it saw in runs that do not change
    floor.mark(seat.id, is_free=False)                # one seat after the other

`free` is a value like any other: whoever tries something keeps the number from before. What is free are seats that
nobody has, run-out holds included. Seats that the caller holds already are theirs, and are not free. `released=True`
puts reserved places on sale as ordinary seats. `picture.sections` and `picture.categories` have the names that a wish
may say; `picture.neighbours()` has the ids on either side of each seat.
"""
