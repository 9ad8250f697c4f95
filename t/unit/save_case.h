
/*
 * save_case.h: cases by hand; a part of save.c.
 */


#ifndef _SAVE_CASE_H_INCLUDED_
#define _SAVE_CASE_H_INCLUDED_


static const test_case_t  test_cases[] = {
    { NULL, NULL }
};


#endif /* _SAVE_CASE_H_INCLUDED_ */
