// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.errors;

import java.util.Collection;
import org.potstill.errors.UserException;

/** User errors about several teachers that share a corpus. */
public final class MixtureErrors {
    private MixtureErrors() {
    }

    public static UserException noTeacher(String corpus, long documents, long all, Collection<String> teachers) {
        return new UserException(documents + " of " + all + " documents of the corpus " + corpus + " are for no teacher",
                "no condition (teachers.NAME.where) of " + String.join(", ", teachers) + " holds for them",
                "add a teacher without 'where', which gets all such documents, or leave them out with corpus.where");
    }

    public static UserException severalTeachers(String corpus, long documents, long all, Collection<String> teachers) {
        return new UserException(documents + " of " + all + " documents of the corpus " + corpus + " are for several teachers",
                "the conditions (teachers.NAME.where) of " + String.join(" and ", teachers) + " hold for the same documents",
                "change one of them, for instance by 'and not (...)' with the other's");
    }

    /** @param where its condition; empty if it gets what the others leave */
    public static UserException noDocuments(String corpus, String teacher, String where, long all) {
        String holds = where.isEmpty() ? "the conditions of the others hold for all" : "its condition (" + where + ") holds for none";
        return new UserException("no document of the corpus " + corpus + " is for the teacher '" + teacher + "'", holds + " of " + all + " documents",
                "correct teachers." + (where.isEmpty() ? "NAME" : teacher) + ".where, or remove this teacher");
    }

    public static UserException sameTeacher(String one, String other) {
        return new UserException("the teachers '" + one + "' and '" + other + "' are the same", "their weights and precision have the same fingerprint",
                "leave one of them, with both conditions: (...) or (...)");
    }

    public static UserException tokenizersDiffer(String one, String other, String difference) {
        return new UserException("the teachers '" + one + "' and '" + other + "' do not have the same tokenizer", difference,
                "choose teachers whose tokens have the same ids, usually of one family: the student has only one vocabulary");
    }

    public static UserException templatesDiffer(String one, String other) {
        return new UserException("the teachers '" + one + "' and '" + other + "' have different chat templates",
                "the corpus has conversations, which the student must see in one form",
                "give both the same chat_template in tokenizer_config.json; or set corpus.conversations = none");
    }

    /** @param command the one that takes only one teacher */
    public static UserException onlyOne(String command) {
        return new UserException("'" + command + "' uses one teacher", "the settings have several (teachers)",
                "for this command, use settings with teacher.path instead of teachers");
    }

    public static UserException partOfMixture(String path, Collection<String> teachers) {
        return new UserException("the labels in " + path + " are of a part of the corpus only", "the last label run shared the corpus among the teachers "
                + String.join(", ", teachers), "set teachers as for that run; or run potstill label with this teacher alone");
    }

    public static UserException notOneMixture(String path, Collection<String> folders) {
        return new UserException("the cache " + path + " does not hold one corpus that these teachers share", "the last label runs of "
                + String.join(", ", folders) + " were different ones, or the last one was interrupted while it recorded its results",
                "run potstill label with these settings, which scores only what is missing");
    }
}
