/** For session-journals.test.ts: spreads the journals in DIR over so many threads. `node migration-run.ts DIR THREADS` */
import { silentLogLines } from '../../../kernel/log-lines.ts';
import { homeIn, openSessionLog } from './journal-fixtures.ts';
import { prepareSessionJournals } from './session-journals.ts';

const [dir, threads] = process.argv.slice(2);
if (dir === undefined || threads === undefined) throw new Error('DIR THREADS');
process.stdout.write('begins\n');
const options = { dir, threads: Number(threads), homeOf: homeIn(Number(threads)), logLines: silentLogLines };
await prepareSessionJournals({ ...options, openLog: openSessionLog });
