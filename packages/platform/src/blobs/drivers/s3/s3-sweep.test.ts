import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { S3Blobs } from './s3-blobs.ts';

/** What ListMultipartUploads answers at most: S3 has 1,000. */
const PAGE = 3;

let server: Server;
/** Uploads that were begun, as `key id`, in their order. */
let uploads: string[];
let requests: number;

beforeEach(async () => {
  requests = 0;
  uploads = [];
  server = createServer((request, response) => {
    requests++;
    const url = new URL(request.url ?? '', 'http://s3');
    if (request.method === 'DELETE') {
      const key = decodeURIComponent(url.pathname.slice('/bucket/'.length));
      uploads = uploads.filter((upload) => upload !== `${key} ${url.searchParams.get('uploadId')}`);
      response.writeHead(204).end();
      return;
    }
    // https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html
    const after = `${url.searchParams.get('key-marker') ?? ''} ${url.searchParams.get('upload-id-marker') ?? ''}`;
    const prefix = url.searchParams.get('prefix') ?? '';
    const found = uploads.filter((upload) => upload.startsWith(prefix) && upload > after);
    const page = found.slice(0, PAGE).map((upload) => upload.split(' ') as [string, string]);
    const [key, id] = page.at(-1) ?? ['', ''];
    const isTruncated = found.length > PAGE;
    const next = isTruncated ? `<NextKeyMarker>${key}</NextKeyMarker><NextUploadIdMarker>${id}</NextUploadIdMarker>` : '';
    const items = page.map(([name, upload]) => `<Upload><Key>${name}</Key><UploadId>${upload}</UploadId></Upload>`);
    response.writeHead(200, { 'content-type': 'application/xml' });
    response.end(
      `<ListMultipartUploadsResult><Bucket>bucket</Bucket>${next}<IsTruncated>${isTruncated}</IsTruncated>${items.join('')}</ListMultipartUploadsResult>`,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

function open(): S3Blobs {
  return new S3Blobs({
    bucket: 'bucket',
    prefix: 'own/',
    region: 'us-east-1',
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    pathStyle: true,
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    checksums: true,
  });
}

test('uploads that were broken off are swept away, however many answers of the store they take', async () => {
  await using store = open();
  const ours = Array.from({ length: 10 }, (_, i) => `own/device_type=m/${Math.floor(i / 4)} upload-${i}`);
  uploads = [...ours, 'own/other/key upload-x', 'strangers/key upload-y'].sort();
  expect(await store.sweep('device_type=')).toBe(10);
  expect(uploads).toEqual(['own/other/key upload-x', 'strangers/key upload-y']);
  requests = 0;
  expect(await store.sweep('device_type=')).toBe(0);
  expect(requests).toBe(1);
});
