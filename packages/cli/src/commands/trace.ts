import type { TraceEventJson } from '@selsyn/platform/api/trace-source.ts';
import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { readEvents } from '../event-stream.ts';
import { printable } from '../printable.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { counted } from '../table.ts';
import { traceLine } from '../trace-line.ts';

interface TraceOptions extends AddressOptions {
  readonly client?: string;
  readonly topic?: string;
  readonly payload?: boolean;
  readonly count?: string;
  readonly json?: boolean;
}

/** `selsyn trace --client X`: its packets as they come and go. */
export function addTraceCommand(program: Command): void {
  program
    .command('trace')
    .description('show the packets of a client, or the messages of a topic, as they come and go; Ctrl-C ends it')
    .option('--client <id>', 'all packets of this client id')
    .option('--topic <filter>', 'messages on topics that match this filter; with --client: those of that client')
    .option('--payload', 'show the first 200 bytes of payloads')
    .option('--count <n>', 'end after so many packets')
    .option('--json', 'print JSON lines')
    .action(async (_: unknown, command: Command) => await trace(command.optsWithGlobals<TraceOptions>()));
}

async function trace(options: TraceOptions): Promise<void> {
  const { client, topic, payload } = options;
  if (client === undefined && topic === undefined) throw new CliError('give --client ID, --topic FILTER, or both');
  let left = options.count === undefined ? Number.POSITIVE_INFINITY : Number(options.count);
  if (!(left > 0)) throw new CliError('--count must be a positive number');
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  try {
    const query = { client, topic, payload: payload === true ? 'true' : undefined };
    const response = await new ApiClient(findServer(options)).open('/trace', query, stop.signal);
    for await (const { event, data } of readEvents(response)) {
      if (event === 'tracing') say(`tracing ${describe(options)}; Ctrl-C ends it`);
      else if (event === 'dropped' || event === 'lagged') {
        say(`${counted((JSON.parse(data) as { dropped: number }).dropped, 'packet')} not shown: there were too many`);
      } else if (event === 'bye') say('the server has ended the trace');
      else if (event === 'packet') {
        process.stdout.write(`${options.json === true ? data : traceLine(JSON.parse(data) as TraceEventJson)}\n`);
        left -= 1;
        if (left <= 0) break;
      }
    }
    stop.abort();
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
}

function describe({ client, topic }: TraceOptions): string {
  const who = client === undefined ? '' : ` of ${printable(client)}`;
  return topic === undefined ? `all packets${who}` : `messages on ${printable(topic)}${who}`;
}

/** What is about the trace, not of it. */
function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
