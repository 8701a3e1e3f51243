package org.potstill.spark;

import java.util.Collection;
import java.util.List;
import java.util.Locale;
import org.potstill.errors.UserException;

/** User errors of the jobs and the command line; see also {@link CorpusErrors} and {@link PlatformErrors}. */
public final class JobErrors {
    private static final int MAX_KEYS = 8;

    private JobErrors() {
    }

    public static UserException unreadableConfiguration(String file, String why) {
        return new UserException("cannot read the configuration " + file, why,
                "see potstill label --help; potstill defaults prints a file to begin from");
    }

    static UserException configurationIncludes(String what) {
        return new UserException("the configuration includes " + what, "settings include no other files",
                "give several files: --conf " + what + " --conf FILE, of which the later stands above the earlier");
    }

    /** @param remedy what to write instead */
    static UserException misreadSetting(String origin, int line, String why, String remedy) {
        return new UserException("line " + line + " of " + origin + " would not be read as it is written", why, remedy);
    }

    /** Several of them as one, which names each. */
    static UserException together(List<UserException> all) {
        if (all.size() == 1) {
            return all.get(0);
        }
        StringBuilder causes = new StringBuilder();
        all.forEach(each -> causes.append("\n    ").append(each.problem()).append(": ").append(each.cause()));
        String remedies = String.join("; ", all.stream().map(UserException::remedy).distinct().limit(2).toList());
        return new UserException(all.size() + " settings cannot be used", causes.toString(),
                all.stream().map(UserException::remedy).distinct().count() <= 2 ? remedies
                        : "correct each in its file or on the command line; potstill defaults prints every key and its default");
    }

    public static UserException unknownKey(String key, String nearest) {
        return new UserException("unknown configuration key '" + key + "'",
                "no such setting; " + (nearest.isEmpty() ? "none has a similar name" : "did you mean '" + nearest + "'?"),
                "correct the key; potstill defaults prints every key and its default");
    }

    public static UserException badValue(String key, String why) {
        return new UserException("unusable value of '" + key + "'", why, "set it in the file or with --set " + key + "=...");
    }

    public static UserException badOption(String option, String why) {
        return new UserException("unusable value of '" + option + "'", why, "see the command's --help");
    }

    public static UserException missingKey(String key) {
        return new UserException("'" + key + "' is not set", "this command cannot go without it",
                "set it in the file or with --set " + key + "=...");
    }

    public static UserException tooManyUnscored(long bad, long sequences, double limit, String quarantine) {
        return new UserException("the teacher could not score " + bad + " of " + sequences + " sequences",
                "corpus.max-bad-share allows " + limit + "; each sequence's reason is in " + quarantine,
                "check the teacher: compare the file's checksum, or convert it again; mend the documents if few are named; or "
                        + "raise corpus.max-bad-share if that share may be lost");
    }

    public static UserException noHeldOutDocument(double holdout, long documents) {
        return new UserException("no document is held out for evaluation",
                "corpus.holdout = " + holdout + " of " + documents + " documents came to none",
                "raise corpus.holdout, or change the seed, before you label and train");
    }

    public static UserException precisionTooLow(String precision, double kl, double limit) {
        return new UserException("the teacher in " + precision + " is not near enough to the same in fp32",
                String.format(Locale.ROOT, "their distributions differ by %.3g nats (KL) on a sample of the corpus; "
                        + "teacher.max-precision-kl allows %s", kl, limit),
                "set teacher.precision to fp32, or raise teacher.max-precision-kl; int8 needs a CPU with VNNI to be exact");
    }

    public static UserException unwritable(String what, String path, Throwable origin) {
        return new UserException("cannot write the " + what + " to " + path, String.valueOf(origin.getMessage()),
                "choose another folder, make room, or grant the user who runs the job the right to write there", origin);
    }

    public static UserException noCache(String path, String spec, Collection<String> held) {
        return new UserException("the cache " + path + " holds no soft labels " + spec,
                held.isEmpty() ? "it is empty" : "it holds " + held, "run potstill label with this configuration first");
    }

    public static UserException noSuchLabels(String path, String teacher, String spec, Collection<String> held) {
        return new UserException("the cache " + path + " holds no soft labels that are meant",
                held.isEmpty() ? "it is empty" : "it holds " + held + ", and wanted are those of teacher " + (teacher.isEmpty() ? "any" : teacher)
                        + " and specification " + (spec.isEmpty() ? "any" : spec),
                held.isEmpty() ? "check cache.path, or run potstill label first" : "give the beginning of one of these fingerprints and its spec");
    }

    public static UserException noSuchSequence(String path, String wanted, String why) {
        return new UserException("the cache " + path + " holds no sequence with " + wanted, why,
                "potstill cache inspect shows what the cache holds; documents are called as the corpus calls them");
    }

    public static UserException ambiguousSequence(String path, String wanted, Collection<String> found) {
        return new UserException("the cache " + path + " holds several sequences with " + wanted, "among them are " + found,
                "give more of the key, or narrow with --teacher and --spec");
    }

    public static UserException damagedCache(String path, Collection<String> problems, Collection<String> remedies) {
        return new UserException("the cache " + path + " is damaged", String.join("; ", problems), String.join("; ", remedies));
    }

    public static UserException unreadableModel(String setting, String path, Throwable origin) {
        return new UserException("cannot read the model " + path + " on " + java.net.InetAddress.getLoopbackAddress().getHostName(),
                String.valueOf(origin.getMessage()), "check " + setting + ": every node that uses it must see it (a shared mount, HDFS "
                        + "or S3), and its user must have the right to read it", origin);
    }

    public static UserException noRoomForTeacher(String scratch, double needed, long free) {
        return new UserException(String.format(Locale.ROOT, "no room for the teacher's %,.0f bytes in %s", needed, scratch),
                String.format(Locale.ROOT, "%,d bytes are free there", free),
                "set teacher.scratch to a folder on a larger local disk, or make room");
    }

    public static UserException badGpuAddress(String address) {
        return new UserException("unusable GPU address: '" + address + "'",
                "Spark's gpu resource must have the GPUs' numbers for addresses, as CUDA counts them",
                "set spark.executor.resource.gpu.discoveryScript to deploy/gpu-discovery.sh");
    }

    public static UserException teacherDiffers(String uri, String driver, String executor) {
        return modelDiffers("teacher.path", uri, driver, executor);
    }

    public static UserException modelDiffers(String setting, String uri, String driver, String executor) {
        return new UserException("the model " + uri + " on an executor is not the one on the driver",
                "the driver saw the fingerprint " + driver + ", the executor " + executor,
                "put it where all nodes see it (a shared mount, HDFS or S3) and set " + setting + " to that path");
    }

    public static UserException cacheOfAnotherTeacher(String path, String teacher, Collection<String> held) {
        return new UserException("the cache " + path + " was made by another teacher",
                "teacher.path has the fingerprint " + teacher + "; the cache holds " + held,
                "set teacher.path to the model that labelled, or run potstill label with this one: the labels lie side by side");
    }

    public static UserException tokenizerDiffers(String teacher, String now, String student, String then) {
        return new UserException("the vocabularies of student and teacher do not fit",
                "the tokenizer of " + teacher + " has the fingerprint " + now + ", the student in " + student
                        + " was trained with " + then,
                "set teacher.path to the model that labelled");
    }

    public static UserException initTokenizerDiffers(String init, String cache, String difference) {
        return new UserException("the student cannot begin with the weights of " + init,
                "its vocabulary is not that of the cache " + cache + ": " + difference,
                "set student.init to a model with the teacher's tokenizer, or to \"\" for random weights");
    }

    public static UserException initShapeDiffers(String init, String key, Object wanted, Object there) {
        return new UserException("the student does not fit the weights of " + init + " that it is to begin with",
                key + " is set to " + wanted + ", and it is " + there + " there",
                "leave " + key + " out, or set student.init to \"\" for random weights");
    }

    public static UserException ambiguousCache(String path, Collection<String> held) {
        return new UserException("the cache " + path + " holds the labels of several teachers",
                "teacher.path is not set, and there are " + held, "set teacher.path to the one to learn from");
    }

    public static UserException settingsDiffer(String what, String key, Object now, Object then) {
        return new UserException(what + " was made with another " + key, "it is " + now + " now and was " + then + " then",
                "restore " + key + " = " + then + ", or start afresh in another folder");
    }

    public static UserException damagedRow(String path, String key, String why) {
        return new UserException("a row of the cache " + path + " cannot be used: key " + key, why,
                "delete the file that holds it and run potstill label again: only what is missing is scored");
    }

    public static UserException missingLabels(String path, long missing, long wanted) {
        return new UserException("the cache " + path + " lacks " + missing + " of " + wanted + " sequences",
                "files were deleted, or label did not finish", "run potstill label again: only what is missing is scored");
    }

    public static UserException noStudent(String path) {
        return new UserException("there is no trained student in " + path, "it has no provenance.json",
                "run potstill train first; it can go on from its last checkpoint");
    }

    public static UserException exportedStudent(String path) {
        return new UserException("cannot use " + path + " as a student's folder", "it holds an export, which is not trained further in place",
                "set student.path to the folder that train wrote; to go on from an export, name it in student.init");
    }

    public static UserException exportNotFinite(String text) {
        return new UserException("the exported model is not usable", "on " + text + " it or the student gives no finite logits",
                "choose another --precision, or check the student with potstill evaluate");
    }

    public static UserException unreadableText(String option, String path, Throwable origin) {
        return new UserException("cannot read the text " + path, String.valueOf(origin), "check " + option + ": a text file in UTF-8", origin);
    }

    public static UserException exportExists(String path, String first) {
        return new UserException("there is something in " + path + " already", "it holds " + first + ", for one",
                "choose an empty folder for --output, or say --overwrite to replace an older export");
    }

    public static UserException anotherStudent(String path, String key, Object now, Object then) {
        return new UserException("there is a student in " + path + " that was trained otherwise",
                key + " is " + now + " now and was " + then + " then",
                "set student.path to another folder, restore " + key + " = " + then + ", or delete the folder");
    }

    public static UserException samePath(String one, String other, String path) {
        return new UserException(one + " and " + other + " are the same folder", "both are " + path + ", and each would overwrite the other's files",
                "give each a folder of its own");
    }

    public static UserException teacherOverflows(String teacher, int sequences) {
        return new UserException("the teacher " + teacher + " gave no finite probabilities for any of " + sequences
                + " held-out sequences", "its weights or activations overflow", "use another teacher.precision, or check its weights");
    }

    public static UserException studentOverflows(String student, int passages) {
        return new UserException("the student " + student + " gave no finite probabilities for any of " + passages
                + " held-out passages", "its weights or activations overflow", "train it again with a lower learning rate, or use evaluate.precision = fp32");
    }

    /** @param problems of its documents, if any */
    public static UserException emptyText(String name, String path, String problems) {
        return new UserException("nothing to evaluate in the corpus " + path, "no document of evaluate.corpora." + name + " has two tokens or more"
                + (problems.isEmpty() ? "" : "; those that cannot be used: " + problems),
                "check the path (a file, a folder or a glob) and corpus.text-field, or remove the setting");
    }

    /** The same of a further corpus, whose remedy is another setting than corpus.path. */
    public static UserException badText(String name, UserException origin) {
        return new UserException(origin.problem(), origin.cause(), "check the path that evaluate.corpora." + name
                + " names (a file, a folder or a glob of text, JSON lines or Parquet files, by their endings), or remove the setting", origin);
    }

    public static UserException unreadableTask(String name, String path, Throwable origin) {
        return new UserException("cannot read the task " + path, String.valueOf(origin.getMessage()),
                "check evaluate.tasks." + name + " and the access rights of the user who runs the job", origin);
    }

    public static UserException badTask(String name, String path, int line, String why) {
        return new UserException("cannot use line " + line + " of the task " + path, why,
                "correct the file that evaluate.tasks." + name + " names; each line is like {\"context\": \"Two and two make\", "
                        + "\"choices\": [\"four.\", \"five.\"], \"answer\": 0}");
    }

    public static UserException damagedJson(String path, String why) {
        return new UserException("cannot read " + path, why, "restore the file, or run the job that wrote it again");
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
        return new UserException("executors could not exchange the student's state under TLS",
                "spark.ssl.rpc.enabled is true, and what executors of a training run send each other knows Spark's own encryption only",
                "set spark.ssl.rpc.enabled to false for train, and spark.authenticate and spark.network.crypto.enabled to true");
    }

    /** @param peers where executors listened */
    public static UserException stateLost(int times, Collection<?> peers, Throwable origin) {
        return new UserException("executors lost the student's state " + times + " times on the way from one copy of it to the next",
                "they died at " + peers + ", or do not reach each other there",
                "look into the executors' logs; set spark.potstill.exchange.port to a port that is open between executors, and from the "
                        + "driver to them, as are some after it where a node has several executors", origin);
    }

    public static UserException trainingFailed(int epoch, int round, String lastCheckpoint, UserException origin) {
        return new UserException(origin.problem(), origin.cause() + ", in epoch " + epoch + ", averaging round " + round,
                origin.remedy() + ". The last good checkpoint is " + lastCheckpoint, origin);
    }
}
