// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.loss;

/**
 * Divergence of the student's distribution S from the teacher's P: a sum over tokens (and the ghost bucket, which stands for all
 * tokens that the teacher did not keep).
 */
public enum Divergence {
    /** KL(P‖S), mode-covering: S covers whatever is likely under P (Hinton et al. 2015, arXiv 1503.02531). */
    FORWARD_KL {
        @Override
        public double term(double p, double s, double logS) {
            return p == 0 ? 0 : p * (Math.log(p) - logS);
        }

        @Override
        public double slope(double p, double s, double logS) {
            return -p;
        }
    },
    /** KL(S‖P), mode-seeking: S avoids whatever is unlikely under P (Gu et al. 2024, arXiv 2306.08543). */
    REVERSE_KL {
        @Override
        public double term(double p, double s, double logS) {
            return s == 0 ? 0 : s * (logS - Math.log(Math.max(p, Float.MIN_NORMAL)));
        }

        @Override
        public double slope(double p, double s, double logS) {
            return s == 0 ? 0 : s * (logS - Math.log(Math.max(p, Float.MIN_NORMAL)));
        }
    },
    /** (KL(P‖M) + KL(S‖M)) / 2 with M = (P + S) / 2, at most ln 2 (Agarwal et al. 2024, arXiv 2306.13649, β = ½). */
    JSD {
        @Override
        public double term(double p, double s, double logS) {
            double logM = Math.log((p + s) / 2);
            return (p == 0 ? 0 : p * (Math.log(p) - logM) / 2) + (s == 0 ? 0 : s * (logS - logM) / 2);
        }

        @Override
        public double slope(double p, double s, double logS) {
            return s == 0 ? 0 : s * (logS - Math.log((p + s) / 2)) / 2;
        }
    };

    /** Returns one token's contribution in nats; {@code logS} is the logarithm of s, finite even if s underflows. */
    public abstract double term(double p, double s, double logS);

    /**
     * Returns s times the derivative of {@link #term} with respect to s, up to the same multiple of s for all tokens, which
     * cancels in the gradient: {@code ∂/∂zⱼ = slopeⱼ − sⱼ·Σ slope}.
     */
    public abstract double slope(double p, double s, double logS);
}
