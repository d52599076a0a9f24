import { Button, Textarea } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { downloadSql, SQL_FILES, type SqlFile } from '../api/sql.ts';
import { useServices } from '../app/services.ts';
import { Icon } from '../ui/icons.tsx';
import { saveBlob } from '../ui/save-file.ts';
import { SqlFault } from './sql-fault.tsx';
import styles from './sql.module.css';

interface SqlEditorProps {
  readonly sql: string;
  readonly isRunning: boolean;
  readonly onChange: (sql: string) => void;
  readonly onRun: () => void;
  readonly onCancel: () => void;
}

const FILES = Object.keys(SQL_FILES) as SqlFile[]; // the keys of a constant

/** The query, and what to do with it. */
export function SqlEditor({ sql, isRunning, onChange, onRun, onCancel }: SqlEditorProps) {
  const { client } = useServices();
  const download = useMutation({
    mutationFn: async ({ text, file }: { readonly text: string; readonly file: SqlFile }) =>
      saveBlob(SQL_FILES[file].name, await downloadSql(client, text, file)),
  });
  return (
    <>
      <Textarea
        className={styles.editor ?? ''}
        aria-label="Query"
        autosize
        minRows={6}
        maxRows={22}
        spellCheck={false}
        autoCapitalize="none"
        autoComplete="off"
        data-sql-editor
        value={sql}
        onChange={(event) => onChange(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
          event.preventDefault();
          onRun();
        }}
      />
      <div className={styles.actions}>
        {isRunning ? (
          <Button variant="default" leftSection={<Icon name="stop" size={12} />} onClick={onCancel}>
            Cancel
          </Button>
        ) : (
          <Button disabled={sql.trim() === ''} onClick={onRun}>
            Run
          </Button>
        )}
        <span className={styles.hint}>{isRunning ? 'Running…' : 'Ctrl + Enter'}</span>
        <span className={styles.files} role="group" aria-label="All rows as a file">
          {FILES.map((file) => (
            <Button
              key={file}
              variant="default"
              size="sm"
              leftSection={<Icon name="download" size={14} />}
              aria-label={`Download as ${SQL_FILES[file].label}`}
              disabled={sql.trim() === '' || download.isPending}
              loading={download.isPending && download.variables.file === file}
              onClick={() => download.mutate({ text: sql, file })}
            >
              {SQL_FILES[file].label}
            </Button>
          ))}
        </span>
      </div>
      {download.isError && <SqlFault error={download.error} sql={download.variables.text} />}
    </>
  );
}
