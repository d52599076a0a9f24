import { z } from 'zod';
import { emptyFolder } from '../columnar/engine.ts';
import { serveProcess, startArgument } from '../columnar/serve-process.ts';
import { SelsynError } from '../kernel/errors.ts';
import { QuerySession } from './query-session.ts';
import type { SqlCalls } from './sql-calls.ts';

const place = z
  .object({
    telemetryDir: z.string(),
    scratchDir: z.string(),
    archiveDirs: z.array(z.string()),
    threads: z.number(),
  })
  .parse(startArgument());
emptyFolder(place.scratchDir);
// Nothing of ours is below the folder a query could guess.
process.chdir(place.scratchDir);
let session: QuerySession | undefined;

function current(): QuerySession {
  if (session === undefined) throw new SelsynError('internal', 'no query is under way');
  return session;
}

function end(): void {
  session?.[Symbol.dispose]();
  session = undefined;
}

serveProcess<SqlCalls>({
  plan: async (query) => {
    end();
    session = await QuerySession.open(place, query);
    return session.plan;
  },
  addDevices: async (rows) => await current().addDevices(rows),
  narrow: async () => await current().narrow(),
  addSeen: (seen) => current().addSeen(seen),
  addHot: (page) => current().addHot(page),
  openFiles: ({ archived }) => current().openFiles(archived),
  run: async (run) => await current().run(run),
  end,
});
