// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.commonmark.ext.gfm.tables.TableBlock;
import org.commonmark.ext.gfm.tables.TableCell;
import org.commonmark.ext.gfm.tables.TableRow;
import org.commonmark.node.Node;
import org.commonmark.node.Text;
import org.commonmark.renderer.html.AttributeProvider;

/** Gives every table cell its column's heading as {@code data-label}: on a phone, wide tables become lists of labelled cells. */
final class CellLabels implements AttributeProvider {
    private final List<String> headings = new ArrayList<>();
    private int column;

    /** Called in the order of the page, so headings come before the cells below them. */
    @Override
    public void setAttributes(Node node, String tag, Map<String, String> attributes) {
        if (node instanceof TableBlock) {
            headings.clear();
        } else if (node instanceof TableRow) {
            column = 0;
        } else if (node instanceof TableCell cell && cell.isHeader()) {
            headings.add(cell.getFirstChild() instanceof Text text ? text.getLiteral() : "");
        } else if (node instanceof TableCell) {
            attributes.put("data-label", headings.get(column++));
        }
    }
}
