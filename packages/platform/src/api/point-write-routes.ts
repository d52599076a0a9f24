import { Readable } from 'node:stream';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { SelsynError } from '../kernel/errors.ts';
import { inTurns, MAX_BODY_BYTES, refusal, TURN_BYTES } from '../points/point-door.ts';
import type { PointWriter } from '../points/point-writer.ts';
import { MAX_BROKEN } from '../points/sample-limits.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { checkJsonDepth } from './json-depth.ts';
import { CsvPoints } from './point-csv.ts';
import { writeRow } from './point-rows.ts';
import { problems } from './route-responses.ts';
import { CSV_TYPE, JSON_LINES_TYPE } from './text-download.ts';

const JSON_TYPE = 'application/json';
/** A JSON text is parsed in one go, and others wait for it. */
const MAX_JSON_BYTES = 2_000_000;
const MAX_ROWS_SHOWN = 100;
const MAX_LEVELS = 4;
const NEWLINE = 0x0a;
/** A row is read in one go, and others wait for it. */
const MAX_LINE_BYTES = 1_000_000;

const querySchema = z.strictObject({
  partial: z
    .enum(['true', 'false'])
    .default('false')
    .describe(
      `\`true\`: rows that cannot be kept do not keep the others out, up to ${MAX_BROKEN} of them; the answer names them.`,
    ),
});

const answerSchema = z
  .object({
    points: z.number().describe('Points that are durable.'),
    refused: z.number().describe('Rows that were not taken; with `partial` alone more than 0.'),
    problems: z
      .array(z.object({ row: z.number().optional().describe('From 1; absent where it is about a device.'), message: z.string() }))
      .describe(`Why: the first ${MAX_ROWS_SHOWN} of them.`),
  })
  .describe('What became of the rows.');

/** Writing telemetry by HTTP. */
export function pointWriteRoutes({ points }: Pick<ApiDependencies, 'points'>): FastifyPluginAsyncZod {
  return async (app) => {
    // Only here: the body is read by the door, in bounded memory.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser([JSON_TYPE, JSON_LINES_TYPE, CSV_TYPE], (_request, payload, done) => done(null, payload));
    app.addContentTypeParser('*', (_request, _payload, done) =>
      done(
        new SelsynError(
          'request.unsupported-media-type',
          `a body is ${JSON_TYPE}, ${JSON_LINES_TYPE} or ${CSV_TYPE}: say which in Content-Type`,
        ),
      ),
    );

    app.post(
      '/telemetry',
      {
        config: { permission: 'telemetry:write' },
        schema: {
          operationId: 'writeTelemetry',
          summary: 'Write points of any devices',
          description:
            `A row, an array of rows (\`${JSON_TYPE}\`, at most ${MAX_JSON_BYTES / 1e6} MB), or a row a line (\`${JSON_LINES_TYPE}\`, at ` +
            `most ${MAX_BODY_BYTES / 1e6} MB), or \`${CSV_TYPE}\` as an export writes it; packed with gzip if you like. A row is \`{"device","ts","values":{…}}\` or ` +
            '`{"device","ts","metric","value"}`; `ts` is ms since 1970, and the present where it is absent. Answered once all is durable. ' +
            'The same point written again is the same point. A device that there is not is made where the caller may add devices.',
          tags: ['telemetry'],
          consumes: [JSON_TYPE, JSON_LINES_TYPE, CSV_TYPE],
          querystring: querySchema,
          response: {
            200: answerSchema,
            ...problems(
              'device.not-found',
              'request.too-large',
              'request.unsupported-media-type',
              'telemetry.busy',
              'log.full',
              'log.failed',
              'thread.timeout',
            ),
          },
        },
      },
      async (request) => {
        const isPartial = request.query.partial === 'true';
        const stream = request.body instanceof Readable ? request.body : Readable.from([]);
        using body = await points.bodies.read(stream, request.headers['content-encoding']);
        const writer = points.newWriter();
        const rows = new RowReader(body.data, points.clock.now(), writer);
        const type = request.headers['content-type'] ?? '';
        if (type.startsWith(JSON_LINES_TYPE)) await inTurns(() => rows.readLines(TURN_BYTES));
        else if (type.startsWith(CSV_TYPE)) {
          const csv = new CsvPoints(body.data);
          await inTurns(() => rows.readCsv(csv, TURN_BYTES));
        } else rows.readJson();
        points.countRefused('api', rows.refused);
        if (rows.gaveUp || (!isPartial && rows.refused > 0)) throw rows.fault();
        const written = await points.write(writer, access(request).caller, 'api', { allOrNothing: !isPartial });
        const ofDevices = written.refused.map((refused) => ({ message: refusal(refused) }));
        return {
          points: written.points,
          refused: rows.refused + written.refused.reduce((sum, { samples }) => sum + samples, 0),
          problems: [...rows.problems, ...ofDevices].slice(0, MAX_ROWS_SHOWN),
        };
      },
    );
  };
}

/** Reads the rows of a body. */
class RowReader {
  readonly problems: { readonly row: number; readonly message: string }[] = [];
  refused = 0;
  readonly #data: Buffer;
  readonly #nowMs: number;
  readonly #writer: PointWriter;
  #at = 0;
  #row = 0;

  constructor(data: Buffer, nowMs: number, writer: PointWriter) {
    this.#data = data;
    this.#nowMs = nowMs;
    this.#writer = writer;
  }

  /** Too many rows cannot be kept: what follows was not read. */
  get gaveUp(): boolean {
    return this.refused >= MAX_BROKEN;
  }

  /** @throws SelsynError `request.invalid`, `request.too-large` */
  readJson(): void {
    if (this.#data.length > MAX_JSON_BYTES) {
      throw new SelsynError(
        'request.too-large',
        `a JSON text has at most ${MAX_JSON_BYTES} bytes here: send a row a line instead`,
      );
    }
    const parsed = parse(this.#data.toString());
    if (parsed instanceof Error) throw new SelsynError('request.invalid', parsed.message);
    for (const row of Array.isArray(parsed) ? parsed : [parsed]) this.#take(row);
  }

  /** Reads about so many bytes. @returns false once nothing is left */
  readLines(bytes: number): boolean {
    const until = Math.min(this.#data.length, this.#at + bytes);
    while (this.#at < until && !this.gaveUp) {
      let end = this.#data.indexOf(NEWLINE, this.#at);
      if (end === -1) end = this.#data.length;
      const isLong = end - this.#at > MAX_LINE_BYTES;
      const text = isLong ? '' : this.#data.toString('utf8', this.#at, end).trim();
      this.#at = end + 1;
      if (isLong) this.#take(new Error(`a row has at most ${MAX_LINE_BYTES} bytes`));
      else if (text === '') this.#row++;
      else this.#take(parse(text));
    }
    return this.#at < this.#data.length && !this.gaveUp;
  }

  /** The same for CSV. */
  readCsv(csv: CsvPoints, bytes: number): boolean {
    const until = csv.position + bytes;
    while (csv.position < until && !this.gaveUp) {
      const row = csv.next();
      if (row === undefined) return false;
      this.#take(row);
    }
    return !this.gaveUp;
  }

  fault(): SelsynError {
    const [first] = this.problems;
    return new SelsynError('request.invalid', `row ${first?.row}: ${first?.message}; nothing was written`, {
      details: { refused: this.refused, problems: this.problems.slice(0, 10) },
    });
  }

  #take(row: unknown): void {
    this.#row++;
    const message = row instanceof Error ? row.message : writeRow(row, this.#nowMs, this.#writer);
    if (message === undefined) return;
    this.refused++;
    if (this.problems.length < MAX_ROWS_SHOWN) this.problems.push({ row: this.#row, message });
  }
}

/** What the text says, or why it says nothing. */
function parse(text: string): unknown {
  try {
    checkJsonDepth(text, MAX_LEVELS);
    return JSON.parse(text);
  } catch (error) {
    return new Error(error instanceof SelsynError ? error.message : 'it is not JSON');
  }
}
