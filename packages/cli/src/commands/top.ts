import type { ServerStats } from '@selsyn/platform/api/server-stats.ts';
import type { Command } from 'commander';
import { ApiClient } from '../api-client.ts';
import { CliError } from '../cli-error.ts';
import { readEvents } from '../event-stream.ts';
import { findServer, type AddressOptions } from '../server-address.ts';
import { formatDuration } from '../table.ts';

/** `selsyn top`: the server's own rates, once a second. */
export function addTopCommand(program: Command): void {
  program
    .command('top')
    .description('show the live rates of the server; Ctrl-C ends it')
    .option('--json', 'print one JSON object a second')
    .option('--count <n>', 'end after so many seconds')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<AddressOptions & { json?: boolean; count?: string }>();
      const server = findServer(options);
      let left = options.count === undefined ? Number.POSITIVE_INFINITY : Number(options.count);
      if (!(left > 0)) throw new CliError('--count must be a positive number');
      const stop = new AbortController();
      process.once('SIGINT', () => stop.abort());
      try {
        const client = new ApiClient(server);
        // Who may not see the rates is told so here: the stream would just not have them.
        await client.get('/stats');
        const response = await client.open('/live', { devices: '' }, stop.signal);
        for await (const { event, data } of readEvents(response)) {
          if (event !== 'stats') continue;
          if (options.json === true) process.stdout.write(`${data}\n`);
          else
            process.stdout.write(
              `${process.stdout.isTTY ? '\u001b[H\u001b[2J' : ''}${formatStats(JSON.parse(data) as ServerStats, server.url)}\n`,
            );
          left -= 1;
          if (left <= 0) break;
        }
        stop.abort();
      } catch (error) {
        if (!stop.signal.aborted) throw error;
      }
    });
}

export function formatStats(stats: ServerStats, url: string): string {
  const rates = (each: ServerStats['messagesInPerSecond']): string =>
    `${whole(each.qos0 + each.qos1 + each.qos2)}/s   (QoS 0 ${whole(each.qos0)}, 1 ${whole(each.qos1)}, 2 ${whole(each.qos2)})`;
  return [
    `selsyn ${stats.version} at ${url}, up ${formatDuration(stats.uptimeMs)}`,
    '',
    `devices      ${whole(stats.devices)}, connected ${whole(stats.connections)}`,
    `messages in  ${rates(stats.messagesInPerSecond)}`,
    `messages out ${rates(stats.messagesOutPerSecond)}`,
    `points       ${whole(stats.pointsPerSecond)}/s`,
    `log          ${whole(stats.log.recordsPerSecond)} records/s, ${whole(stats.log.syncsPerSecond)} syncs/s of ${stats.log.syncMs.toFixed(2)} ms, lag ${whole(stats.log.lagRecords)} records, ${whole(stats.log.lagMs)} ms`,
    stats.store.points === 0
      ? 'store        no chunk written since the start: new points are in memory and in the log'
      : `store        ${whole(stats.store.points)} points written in ${(stats.store.bytes / 1e6).toFixed(1)} MB, ${stats.store.bytesPerPoint.toFixed(2)} bytes a point`,
    `dead letters ${whole(stats.deadLetters)}`,
    `memory       ${(stats.memoryBytes / 1e6).toFixed(0)} MB`,
    `loop delay   ${stats.threads.map((thread) => `${thread.name} ${thread.eventLoopDelayMs.toFixed(1)} ms`).join(', ')}`,
    '',
  ].join('\n');
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
