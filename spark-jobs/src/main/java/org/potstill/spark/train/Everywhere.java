package org.potstill.spark.train;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.spark.Dependency;
import org.apache.spark.NarrowDependency;
import org.apache.spark.Partition;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.rdd.RDD;
import scala.collection.JavaConverters;
import scala.collection.immutable.Seq;

/** An RDD every partition of which holds all that its parent's partitions hold, in their order. */
final class Everywhere<T> extends RDD<T> {
    private static final long serialVersionUID = 1L;

    private final int count;

    private Everywhere(RDD<T> parent, int count) {
        super(parent.context(), seq(List.<Dependency<?>>of(new OnAll<>(parent))), parent.elementClassTag());
        this.count = count;
    }

    static <T> JavaRDD<T> of(JavaRDD<T> parent, int count) {
        return new JavaRDD<>(new Everywhere<>(parent.rdd(), count), parent.classTag());
    }

    @Override
    public Partition[] getPartitions() {
        Partition[] all = parent().partitions();
        return IntStream.range(0, count).mapToObj(i -> new All(i, all)).toArray(Partition[]::new);
    }

    @Override
    public scala.collection.Iterator<T> compute(Partition split, TaskContext context) {
        List<T> items = new ArrayList<>();
        for (Partition partition : ((All) split).of()) {
            JavaConverters.asJavaIterator(parent().iterator(partition, context)).forEachRemaining(items::add);
        }
        return JavaConverters.asScalaIterator(items.iterator());
    }

    private RDD<T> parent() {
        return firstParent(elementClassTag());
    }

    private static <A> Seq<A> seq(List<A> list) {
        return JavaConverters.asScalaBuffer(list).toList();
    }

    private static final class OnAll<T> extends NarrowDependency<T> {
        private static final long serialVersionUID = 1L;

        OnAll(RDD<T> parent) {
            super(parent);
        }

        /** Its own first: Spark likes to run a task where the first of them lies, and all of them should not run in one place. */
        @Override
        public Seq<Object> getParents(int partition) {
            int all = rdd().partitions().length;
            return seq(IntStream.range(0, all).<Object>mapToObj(i -> (partition + i) % all).toList());
        }
    }

    private record All(int index, Partition[] of) implements Partition {
    }
}
