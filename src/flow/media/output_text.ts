// Outputs that are text: vectors, transcripts, verdicts, as OpenAI's API writes them, for a waiting caller and for the
// job's file alike. It stores nothing and charges nothing.
import type { EmbeddingOutput, ModerationOutput, TranscriptionOutput, Usage } from '../../contract.ts'
import { embeddingAnswer } from '../../protocols/openai-media/embedding_answer.ts'
import { moderationAnswer } from '../../protocols/openai-media/moderation_answer.ts'
import { transcriptAnswer } from '../../protocols/openai-media/transcript.ts'
import type { JobRecord } from '../../store/jobs.ts'
import type { GeneratorOperation, OutputOf } from './generators.ts'

export interface OutputText {
  media_type: string
  body: string
}

export interface Made<Kind extends GeneratorOperation> {
  output: OutputOf<Kind>
  usage: Usage
  job: Pick<JobRecord, 'model' | 'echo'>
  /** Decimal text; absent before the charge. */
  cost_usd?: string
}

/** What the request's answer depends on is in `job.echo`: response_format, task, timestamp_granularities, encoding_format. */
export function outputText<Kind extends GeneratorOperation>(operation: Kind, made: Made<Kind>): OutputText {
  const { job, usage, cost_usd } = made
  const facts = { model: job.model, usage, ...(cost_usd !== undefined && { cost_usd }) }
  const output: unknown = made.output
  switch (operation) {
    case 'embedding':
      return json(
        embeddingAnswer(output as EmbeddingOutput, { ...facts, base64: job.echo.encoding_format === 'base64' }),
      )
    case 'transcription':
      return transcriptAnswer(output as TranscriptionOutput, {
        ...facts,
        format: String(job.echo.response_format ?? 'json'),
        task: job.echo.task === 'translate' ? 'translate' : 'transcribe',
        granularities: Array.isArray(job.echo.timestamp_granularities)
          ? job.echo.timestamp_granularities.map(String)
          : [],
      })
    case 'moderation':
      return json(moderationAnswer(output as ModerationOutput, facts))
    default:
      return json(JSON.stringify(output))
  }
}

const json = (body: string): OutputText => ({ media_type: 'application/json; charset=utf-8', body })
