// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.errors;

import java.io.FileNotFoundException;
import java.net.UnknownHostException;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.commons.lang3.exception.ExceptionUtils;
import org.potstill.errors.UserException;

/** User errors of the jobs and the command line; see also {@link CorpusErrors} and {@link PlatformErrors}. */
public final class JobErrors {
    private static final int MAX_KEYS = 8;
    private static final Pattern OF_TEACHER = Pattern.compile("(?<![\\w./-])teacher\\.(?=(path|url|model|requests|request-seconds|retry-seconds|engine|device"
            + "|precision|max-precision-kl|threads)\\b)");
    private static final Pattern HUB_NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9._-]+");

    private JobErrors() {
    }

    /** @param key the setting, or an option */
    public static UserException badValue(String key, String why) {
        if (key.startsWith("--")) {
            return badOption(key, why);
        }
        return new UserException("invalid value for '" + key + "'", why, "set it in the file or with --set " + key + "=...");
    }

    public static UserException badOption(String option, String why) {
        return new UserException("invalid value for '" + option + "'", why, "see the command's --help");
    }

    public static UserException missingKeys(List<String> keys) {
        boolean one = keys.size() == 1;
        return new UserException(keys.stream().map(key -> "'" + key + "'").collect(Collectors.joining(", ")) + (one ? " is not set" : " are not set"),
                "this command requires " + (one ? "it" : "them"), "set " + (one ? "it" : "them") + " in a file, which --conf names, or with "
                + keys.stream().map(key -> "--set " + key + "=...").collect(Collectors.joining(" "))
                + (keys.contains("corpus.path") ? "; corpus.table or corpus.query may take the place of corpus.path" : ""));
    }

    public static UserException outputClosed() {
        return new UserException("stopped, as the text cannot be written to standard output", "its reader has ended, or its disk is full",
                "nothing, if head or less has read enough; otherwise choose another place for the output");
    }

    /** @param reasons the most common ones, with counts */
    public static UserException tooManyUnscored(long bad, long sequences, double limit, String reasons, String quarantine) {
        String remedy = "check the teacher: compare the file's checksum, or convert it again";
        return new UserException("the teacher could not score " + bad + " of " + sequences + " sequences",
                reasons + "; corpus.max-bad-share allows " + limit + "; the quarantine lists the reason for each sequence: " + quarantine,
                bad == sequences ? remedy : remedy + "; fix the documents if only a few are named; or raise corpus.max-bad-share if you can "
                        + "do without these sequences");
    }

    public static UserException teacherNotFinite(String uri, String problem) {
        return new UserException("the teacher " + uri + " cannot score any text", problem,
                "check the teacher: compare the file's checksum, or convert it again; in fp16, try teacher.precision = fp32");
    }

    public static UserException tooManyUnanswered(long bad, long prompts, double limit, String example, String quarantine) {
        return new UserException("the teacher could not answer " + bad + " of " + prompts + " prompts",
                "such as: " + example + "; corpus.max-bad-share allows " + limit + "; the quarantine lists the reason for each: " + quarantine,
                "check the teacher: compare the file's checksum, or convert it again; or raise corpus.max-bad-share if you can do without "
                        + "these prompts");
    }

    public static UserException precisionTooLow(String precision, double kl, double limit) {
        return new UserException("the teacher in " + precision + " is too far from the same teacher in fp32",
                String.format(Locale.ROOT, "their distributions differ by %.3g nats (KL) on a sample of the corpus; "
                        + "teacher.max-precision-kl allows %s", kl, limit),
                "set teacher.precision to fp32, or raise teacher.max-precision-kl; int8 needs a CPU with VNNI to be exact");
    }

    public static UserException unwritable(String what, String path, Throwable origin) {
        if (PlatformErrors.isDiskFull(String.valueOf(origin.getMessage()))) {
            return new UserException("cannot write the " + what + " to " + path, "its disk is full or a quota is used up: " + origin.getMessage(),
                    "free some space there, or choose a folder on a larger disk; then run the command again: finished work is kept", origin);
        }
        return new UserException("cannot write the " + what + " to " + path, String.valueOf(origin.getMessage()),
                "choose another folder, free some space, or give the user who runs the job write permission; in an object store, check the "
                        + "credentials", origin);
    }

    /** @param what the setting that names the path, or what is there */
    public static UserException unreachable(String what, String path, Throwable origin) {
        Throwable root = ExceptionUtils.getRootCause(origin);
        return new UserException("cannot reach " + path + " (" + what + ")", (root instanceof UnknownHostException ? "unknown host: " : "") + root.getMessage(),
                "check the path's scheme and host, the network and the credentials", origin);
    }

    public static UserException noCache(String path, String spec, Collection<String> held) {
        return new UserException("the cache " + path + " holds no soft labels " + spec,
                held.isEmpty() ? "it is empty" : "it holds " + held, "run potstill label with this configuration first");
    }

    public static UserException noSuchLabels(String path, String teacher, String spec, Collection<String> held) {
        return new UserException("the cache " + path + " holds no matching soft labels",
                held.isEmpty() ? "it is empty" : "it holds " + held + "; requested: teacher " + (teacher.isEmpty() ? "any" : teacher)
                        + ", specification " + (spec.isEmpty() ? "any" : spec),
                held.isEmpty() ? "check cache.path, or run potstill label first"
                : "give a prefix of one of these fingerprints and its spec");
    }

    public static UserException noSuchSequence(String path, String wanted, String why) {
        return new UserException("the cache " + path + " holds no sequence with " + wanted, why,
                "potstill cache inspect shows what the cache holds; use document ids as in the corpus");
    }

    public static UserException ambiguousSequence(String path, String wanted, Collection<String> found) {
        return new UserException("the cache " + path + " holds several sequences with " + wanted, "among them are " + found,
                "give more of the key, or narrow with --teacher and --spec");
    }

    public static UserException damagedCache(String path, Collection<String> problems, Collection<String> remedies) {
        return new UserException("the cache " + path + " is damaged", String.join("; ", problems), String.join("; ", remedies));
    }

    public static UserException unreadableModel(String setting, String path, Throwable origin) {
        String here = java.nio.file.Path.of("").toAbsolutePath() + "/";
        String written = path.startsWith("file:" + here) ? path.substring(5 + here.length()) : path;
        if (origin instanceof FileNotFoundException && HUB_NAME.matcher(written).matches()) {
            return new UserException("cannot read the model " + written, "there is no such folder in " + here
                    + ", and Potstill does not download from the Hugging Face Hub", "download it (hf download " + written
                    + " --local-dir FOLDER), and set " + setting + " to that folder", origin);
        }
        if (setting.startsWith("--")) {
            return new UserException("cannot read the model " + path, String.valueOf(origin.getMessage()), "check the path that " + setting
                    + " gives" + (origin instanceof FileNotFoundException ? "; a relative one is looked up in " + here : " and its permissions"), origin);
        }
        return new UserException("cannot read the model " + path + " on " + java.net.InetAddress.getLoopbackAddress().getHostName(),
                String.valueOf(origin.getMessage()), "check " + setting + ": every node that uses it must see it (a shared mount, HDFS "
                        + "or S3), and the user who runs the job must be able to read it", origin);
    }

    /** @param where to put it instead: "set teacher.scratch to a folder on a larger local disk" */
    public static UserException noRoom(String what, String folder, long needed, long free, String where) {
        return new UserException("not enough space for " + what + " in " + folder,
                String.format(Locale.ROOT, "%,d bytes are needed, and %,d are free there", needed, free), where + ", or free some space");
    }

    public static UserException badGpuAddress(String address) {
        return new UserException("invalid GPU address: '" + address + "'",
                "Spark's gpu resource must use CUDA device numbers as addresses",
                "set spark.executor.resource.gpu.discoveryScript to deploy/gpu-discovery.sh");
    }

    public static UserException teacherDiffers(String uri, String driver, String executor) {
        return modelDiffers("teacher.path", uri, driver, executor);
    }

    public static UserException modelDiffers(String setting, String uri, String driver, String executor) {
        return new UserException("the model " + uri + " on an executor differs from the one on the driver",
                "the driver saw the fingerprint " + driver + ", the executor " + executor,
                "put it where all nodes see it (a shared mount, HDFS or S3) and set " + setting + " to that path");
    }

    public static UserException cacheOfAnotherTeacher(String path, String teacher, Collection<String> held) {
        return new UserException("the cache " + path + " was made by another teacher",
                "teacher.path has the fingerprint " + teacher + "; the cache holds " + held,
                "set teacher.path to the model that made the labels, or run potstill label with this one: the cache can hold both");
    }

    public static UserException initTokenizerDiffers(String init, String cache, String difference) {
        return new UserException("the student cannot start from the weights of " + init,
                "its vocabulary differs from that of the cache " + cache + ": " + difference,
                "set student.init to a model with the teacher's tokenizer, or to \"\" for random weights");
    }

    public static UserException initShapeDiffers(String init, String key, Object wanted, Object there) {
        return new UserException("the student does not match the initial weights of " + init,
                key + " is set to " + wanted + ", but is " + there + " in the checkpoint",
                "remove " + key + ", or set student.init to \"\" for random weights");
    }

    public static UserException ambiguousCache(String path, Collection<String> held) {
        return new UserException("the cache " + path + " holds the labels of several teachers",
                "teacher.path is not set, and the cache holds " + held, "set teacher.path to the one to learn from");
    }

    /** Explains an error as one of several teachers, whose settings the user wrote in another section. */
    public static UserException ofTeacher(String name, UserException e) {
        UnaryOperator<String> own = text -> OF_TEACHER.matcher(text).replaceAll("teachers." + name + ".");
        return new UserException("the teacher '" + name + "': " + own.apply(e.problem()), own.apply(e.cause()), own.apply(e.remedy()), e);
    }

    public static UserException settingsDiffer(String what, String key, Object now, Object then) {
        return new UserException(what + " was made with another " + key, "it is " + now + " now and was " + then + " then",
                "restore " + key + " = " + then + ", or start over in another folder");
    }

    public static UserException damagedRow(String path, String key, String why) {
        return new UserException("a row of the cache " + path + " cannot be used: key " + key, why,
                "delete the file that holds it and run potstill label again, which scores only what is missing");
    }

    public static UserException missingLabels(String path, long missing, long wanted) {
        return new UserException("the cache " + path + " lacks " + missing + " of " + wanted + " sequences",
                "files were deleted, or label did not finish", "run potstill label again, which scores only what is missing");
    }

    public static UserException noStudent(String path) {
        return new UserException("there is no trained student in " + path, "it has no provenance.json",
                "check student.path, and run potstill train first; an interrupted run resumes from its last checkpoint");
    }

    public static UserException exportedStudent(String path) {
        return new UserException("cannot use " + path + " as a student's folder",
                "it holds an export, which cannot be trained further in place",
                "set student.path to the folder that train wrote; to continue from an export, set student.init to it");
    }

    public static UserException exportNotFinite(String text) {
        return new UserException("the exported model is not usable", "on " + text
                + " it or the student produces logits that are not finite",
                "choose another --precision, or check the student with potstill evaluate");
    }

    public static UserException unreadableText(String option, String path, Throwable origin) {
        return new UserException("cannot read the text " + path, String.valueOf(origin), "set " + option + " to a text file in UTF-8",
                origin);
    }

    public static UserException exportExists(String path, String first) {
        return new UserException("the output " + path + " already exists", "it contains, for example, " + first,
                "choose an empty folder for --output, or use --overwrite to replace an older export");
    }

    public static UserException anotherStudent(String path, String key, Object now, Object then) {
        return new UserException("the student in " + path + " was trained with other settings",
                key + " is " + now + " now and was " + then + " then",
                "set student.path to another folder, restore " + key + " = " + then + ", or delete the folder");
    }

    public static UserException wouldOverwrite(String setting, String path, String name) {
        return new UserException("cannot use the folder " + path + " as " + setting,
                "it contains, for example, " + name + ", which this step did not write", "set " + setting + " to an empty or new folder");
    }

    public static UserException damagedJson(String path, String why) {
        return new UserException("cannot read " + path, why, "restore the file, or run the job that wrote it again");
    }

    /** @param setting names a folder instead */
    public static UserException notShared(String what, String path, String setting) {
        return new UserException("the " + what + " that executors wrote to " + path + " are not there", "it is a folder of each machine alone",
                "set " + setting + " to a folder that the driver and all executors reach");
    }

    public static UserException epochUnreadable(String folder, String file, Exception e) {
        return new UserException("cannot read " + folder + "/" + file + ", sequences in the order of training", String.valueOf(e.getMessage()),
                "delete " + folder + " and run the job again: it goes on from the last checkpoint and writes them anew", e);
    }

    public static UserException lossExploded(int step, double loss, double limit) {
        return new UserException("training diverged at step " + step,
                String.format(Locale.ROOT, "the loss is %.4g nats per token, more than the %.4g that train.max-loss-beyond-chance allows", loss, limit),
                "lower the learning rate, lengthen the warm-up, or clip gradients");
    }

    /** @param keys of the batch's sequences in the cache */
    public static UserException stepFailed(int step, int worker, List<String> keys, UserException origin) {
        String named = String.join(", ", keys.subList(0, Math.min(MAX_KEYS, keys.size())))
                + (keys.size() > MAX_KEYS ? " and " + (keys.size() - MAX_KEYS) + " more" : "");
        return new UserException(origin.problem(), origin.cause() + ", at step " + step + " of worker " + worker
                + ", whose batch is the sequences " + named, origin.remedy(), origin);
    }

    public static UserException tlsNotSupported() {
        return new UserException("executors cannot exchange the student's state over TLS",
                "spark.ssl.rpc.enabled is true, but the exchange between executors supports only Spark's own encryption",
                "set spark.ssl.rpc.enabled to false for train, and spark.authenticate and spark.network.crypto.enabled to true");
    }

    /** @param peers where executors listened */
    public static UserException stateLost(int times, Collection<?> peers, Throwable origin) {
        return new UserException("executors lost the student's state " + times + " times before the driver could make its next copy",
                "they died at " + peers + ", or cannot reach each other there",
                "check the executors' logs; set spark.potstill.exchange.port to a port that is open between executors and from the driver "
                        + "to them, along with the next few ports if a node runs several executors", origin);
    }

    public static UserException trainingFailed(int epoch, int round, String lastCheckpoint, UserException origin) {
        return new UserException(origin.problem(), origin.cause() + ", in epoch " + epoch + ", averaging round " + round,
                origin.remedy() + ". The last good checkpoint is " + lastCheckpoint, origin);
    }
}
