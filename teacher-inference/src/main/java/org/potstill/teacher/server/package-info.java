// SPDX-License-Identifier: Apache-2.0
/** Teachers that run elsewhere, behind a server that speaks OpenAI's protocol. */
package org.potstill.teacher.server;
