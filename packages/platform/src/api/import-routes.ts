import { stringify } from 'csv-stringify/sync';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { SelsynError } from '../kernel/errors.ts';
import { MAX_PART_BYTES, MAX_REFUSED_KEPT, type ImportFormat, type RefusedRow } from '../registry/import/device-import.ts';
import { writeTextCell } from '../registry/import/cell.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { formatSchema, importSchema, importToJson, planSchema, refusedSchema } from './import-schemas.ts';
import { wholeNumber } from './parameters.ts';
import { problems } from './route-responses.ts';
import { CSV_TYPE, JSON_LINES_TYPE, sendTexts } from './text-download.ts';

/** Parts that are being received or taken at once: each is in memory. */
const MAX_PARTS = 8;
const MAX_POSITION = 999_999_999_999_999;

const importParams = z.object({ id: z.string().min(1).max(64).describe('The id of the import.') });
const partSchema = z.strictObject({
  offset: wholeNumber({ min: 0, max: MAX_POSITION, default: 0 }).describe('Where the part begins: the position of the import.'),
  last: z.enum(['true', 'false']).default('false').describe('`true`: nothing follows.'),
});

/** Bringing in devices in any number, part by part. */
export function importRoutes({ imports }: Pick<ApiDependencies, 'imports'>): FastifyPluginAsyncZod {
  return async (app) => {
    let parts = 0;
    // Only here: nothing else takes bodies of this size.
    app.addContentTypeParser(
      [CSV_TYPE, JSON_LINES_TYPE],
      { parseAs: 'buffer', bodyLimit: MAX_PART_BYTES },
      (_request, body, done) => done(null, body),
    );

    app.post(
      '/device-imports',
      {
        config: { permission: 'devices:write' },
        schema: {
          operationId: 'beginDeviceImport',
          summary: 'Begin an import of devices, or find the one that was broken off',
          tags: ['devices'],
          body: planSchema,
          response: {
            200: importSchema.describe('It was begun before.'),
            201: importSchema,
            ...problems('request.too-large', 'request.unsupported-media-type'),
          },
        },
      },
      async (request, reply) => {
        const { import: begun, isNew } = await imports.begin(request.body, access(request));
        return reply
          .code(isNew ? 201 : 200)
          .header('Location', `/api/v1/device-imports/${begun.id}`)
          .send(importToJson(begun));
      },
    );

    app.get(
      '/device-imports',
      {
        config: { permission: 'devices:write' },
        schema: {
          operationId: 'listDeviceImports',
          summary: 'List imports of devices',
          description: 'Your own; all of them with `devices:write` at `/`. They are kept for 30 days.',
          tags: ['devices'],
          querystring: z.strictObject({
            limit: wholeNumber({ min: 1, max: 1000, default: 100 }).describe('Imports in the answer.'),
          }),
          response: { 200: z.object({ items: z.array(importSchema) }).describe('Newest first.'), ...problems() },
        },
      },
      async (request) => {
        const found = await imports.list(access(request), request.query.limit);
        return { items: found.map(importToJson) };
      },
    );

    app.get(
      '/device-imports/:id',
      {
        config: { permission: 'devices:write' },
        schema: {
          operationId: 'getDeviceImport',
          summary: 'Show how far an import has come',
          tags: ['devices'],
          params: importParams,
          querystring: z.strictObject({}),
          response: { 200: importSchema, ...problems('import.not-found') },
        },
      },
      async (request) => importToJson(await imports.find(request.params.id, access(request))),
    );

    app.post(
      '/device-imports/:id/rows',
      {
        config: { permission: 'devices:write' },
        onRequest: async (_request, reply) => {
          if (parts >= MAX_PARTS) {
            throw new SelsynError('import.busy', 'too many parts are being taken at once', { retryable: true });
          }
          parts += 1;
          reply.raw.once('close', () => (parts -= 1));
        },
        schema: {
          operationId: 'takeImportRows',
          summary: 'Import the next rows',
          description:
            `The body (\`${CSV_TYPE}\` or \`${JSON_LINES_TYPE}\`, at most 4 MB) is the content from the position of the import on. ` +
            'The answer has the new position: what comes from there on is the next part, until the state is `done`.',
          tags: ['devices'],
          consumes: [CSV_TYPE, JSON_LINES_TYPE],
          params: importParams,
          querystring: partSchema,
          response: {
            200: importSchema,
            ...problems(
              'import.not-found',
              'import.busy',
              'import.wrong-position',
              'request.too-large',
              'request.unsupported-media-type',
            ),
          },
        },
      },
      async (request, reply) => {
        const { offset, last } = request.query;
        const gone = new AbortController();
        reply.raw.once('close', () => gone.abort());
        const bytes = Buffer.isBuffer(request.body) ? request.body : new Uint8Array();
        const part = { offset, bytes, isLast: last === 'true' };
        return importToJson(await imports.take(request.params.id, part, access(request), gone.signal));
      },
    );

    app.get(
      '/device-imports/:id/refused',
      {
        config: { permission: 'devices:write' },
        schema: {
          operationId: 'listRefusedRows',
          summary: 'Download the rows that were not taken',
          description: `The first ${MAX_REFUSED_KEPT} of them, in the order of the file.`,
          tags: ['devices'],
          params: importParams,
          querystring: z.strictObject({ format: formatSchema.default('jsonl') }),
          response: {
            200: {
              description: 'A line for each row.',
              content: { [JSON_LINES_TYPE]: { schema: refusedSchema }, [CSV_TYPE]: { schema: z.string() } },
            },
            ...problems('import.not-found'),
          },
        },
      },
      async (request, reply) => {
        const { id } = request.params;
        const caller = access(request);
        await imports.find(id, caller);
        const { format } = request.query;
        return sendTexts(reply, format, `refused-${id}`, refusedTexts(format, imports.refused(id, caller)));
      },
    );

    app.delete(
      '/device-imports/:id',
      {
        config: { permission: 'devices:write' },
        schema: {
          operationId: 'removeDeviceImport',
          summary: 'Forget an import',
          description: 'The devices that it brought stay.',
          tags: ['devices'],
          params: importParams,
          querystring: z.strictObject({}),
          response: { 204: z.null().describe('Forgotten.'), ...problems('import.not-found', 'import.busy') },
        },
      },
      async (request, reply) => {
        await imports.remove(request.params.id, access(request));
        return reply.code(204).send(null);
      },
    );
  };
}

async function* refusedTexts(format: ImportFormat, rows: AsyncIterable<RefusedRow>): AsyncGenerator<string> {
  if (format === 'csv') yield 'row,deviceId,field,code,reason\n';
  for await (const refused of rows) {
    const { row, deviceId = '', field = '', code, reason } = refused;
    yield format === 'csv'
      ? stringify([[row, writeTextCell(deviceId), writeTextCell(field), code, writeTextCell(reason)]])
      : `${JSON.stringify(refused)}\n`;
  }
}
