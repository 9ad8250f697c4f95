
/*
 * feed_case.c: the cases by hand.
 */


#include "feed_model.h"


const unit_case_t  feed_cases[] = {
    { "", NULL },
};

const ngx_uint_t  feed_ncases = 0;
