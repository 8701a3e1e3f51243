package org.potstill.student;

/** What stands for the tokens that the teacher's targets do not name. */
public enum Tail {
    /**
     * One bucket of what is left of the teacher's mass, against the student's mass on all those tokens (arXiv 2503.16870,
     * section on the ghost token). Sampled targets leave nothing: their bucket is empty and the estimate unbiased.
     */
    GHOST,
    /** None: both sides are made to sum to one over the tokens that are named. No gradient reaches any other. */
    RENORMALISE
}
