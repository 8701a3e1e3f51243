// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.hardware;

import org.potstill.spark.settings.Settings;

/**
 * What the settings say of the hardware.
 *
 * @param teacherTflops peak of a GPU or of an executor's CPU in the teacher's precision; 0 to find it out
 * @param studentTflops the same in the student's
 * @param pricePerHour  of an executor, in any currency; 0 for none
 */
public record HardwareSettings(double teacherTflops, double studentTflops, double pricePerHour) {
    public static final String TEACHER = "hardware.teacher-tflops";
    public static final String STUDENT = "hardware.student-tflops";
    private static final double MAX = 1e6;

    public static HardwareSettings of(Settings settings) {
        return new HardwareSettings(settings.real(TEACHER, 0, MAX), settings.real(STUDENT, 0, MAX), settings.real("hardware.price-per-hour", 0, MAX));
    }

    /**
     * Returns the cost of a job; null without a price or without tokens.
     *
     * @param executors number of executors, which are paid for the whole job
     * @param seconds   duration of the job
     */
    public Cost cost(int executors, double seconds, long tokens) {
        double hours = executors * seconds / 3600;
        return pricePerHour == 0 || tokens == 0 ? null : new Cost(hours, hours * pricePerHour, hours * pricePerHour / tokens * 1e6);
    }
}
