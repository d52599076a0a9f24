import { z } from 'zod';

const text = z.string().default('');

/** Settings of the archive. */
export const ARCHIVE_SETTINGS = z
  .strictObject({
    target: z
      .enum(['off', 'disk', 's3'])
      .default('off')
      .describe(
        'Where telemetry is archived as Parquet, and raw points wait for it before they are let go: nowhere, in a folder, or in a bucket of S3 or of what speaks its protocol.',
      ),
    folder: text.describe('Folder of an archive on disk. Empty: data/archive/objects.'),
    cacheBytes: z.coerce
      .number()
      .int()
      .min(64 * 1024 * 1024)
      .default(8 * 1024 ** 3)
      .describe('Bytes of archived objects that are kept here at most, of an archive in S3, for queries.'),
    bucket: text.describe('Bucket of an archive in S3; it must be there.'),
    prefix: z
      .string()
      .regex(/^([^/\\]+(\/[^/\\]+)*\/)?$/, 'is empty, or ends with a slash and does not begin with one')
      .default('')
      .describe('What the keys of all objects in the bucket begin with, as telemetry/. Empty: nothing.'),
    region: z.string().min(1).default('us-east-1').describe('Region of the bucket.'),
    endpoint: z
      .string()
      .regex(/^(https?:\/\/[^\s?#]+)?$/, 'must be an URL, as https://minio.example:9000')
      .default('')
      .describe('URL of what speaks the protocol of S3. Empty: AWS.'),
    pathStyle: z
      .enum(['auto', 'on', 'off'])
      .default('auto')
      .describe('Whether the bucket stands in the path of URLs, not in the host name. auto: on where an endpoint is given.'),
    storageClass: z
      .string()
      .regex(/^[A-Z0-9_]*$/)
      .refine((name) => name !== 'GLACIER' && name !== 'DEEP_ARCHIVE', 'must be one that can be read at once')
      .default('')
      .describe('Storage class of objects, as STANDARD_IA or INTELLIGENT_TIERING. Empty: that of the bucket.'),
    encryption: z
      .enum(['bucket', 'AES256', 'aws:kms'])
      .default('bucket')
      .describe('Server-side encryption of objects; bucket: as the bucket has it.'),
    kmsKeyId: text.describe('Key for aws:kms. Empty: that of AWS for S3.'),
    checksums: z
      .stringbool()
      .or(z.boolean())
      .prefault(true)
      .describe(
        'Whether the store takes and keeps SHA-256 checksums. Where it does not, every object is read back once after it was stored.',
      ),
    accessKeyId: text.describe(
      'Access key for S3. Empty: as the AWS SDK finds it (AWS_ACCESS_KEY_ID, a profile, the role of the machine).',
    ),
    secretAccessKey: z.string().min(1).optional().describe('Its secret.').meta({ secret: true }),
  })
  .prefault({});

export type ArchiveSettings = z.infer<typeof ARCHIVE_SETTINGS>;
