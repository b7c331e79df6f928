// What a caller may send to :generateContent. Known fields are typed strictly; fields we do not know are left alone, for
// between equal protocols they travel on. Names are in Google's first spelling by now.
import { z } from 'zod'

const own = z.record(z.string(), z.unknown())
const files = {
  inlineData: z.looseObject({ mimeType: z.string(), data: z.string() }).nullish(),
  fileData: z.looseObject({ fileUri: z.string(), mimeType: z.string().nullish() }).nullish(),
}

const part = z.looseObject({
  text: z.string().nullish(),
  thought: z.boolean().nullish(),
  thoughtSignature: z.string().nullish(),
  ...files,
  functionCall: z.looseObject({ id: z.string().nullish(), name: z.string(), args: own.nullish() }).nullish(),
  functionResponse: z
    .looseObject({
      id: z.string().nullish(),
      name: z.string(),
      response: own.nullish(),
      parts: z.array(z.looseObject(files)).nullish(),
    })
    .nullish(),
  videoMetadata: z.looseObject({}).nullish(),
})
export type BodyPart = z.infer<typeof part>

const content = z.looseObject({
  role: z.enum(['user', 'model', 'function', 'system', ''], { error: "expected 'user' or 'model'" }).nullish(),
  parts: z.array(part).nullish(),
})
export type BodyContent = z.infer<typeof content>

const declaration = z.looseObject({
  name: z.string().min(1),
  description: z.string().nullish(),
  parameters: own.nullish(),
  parametersJsonSchema: own.nullish(),
})
export type Declaration = z.infer<typeof declaration>

const tool = z.looseObject({ functionDeclarations: z.array(declaration).nullish() })
export type BodyTool = z.infer<typeof tool>

const toolConfig = z.looseObject({
  functionCallingConfig: z
    .looseObject({ mode: z.string().nullish(), allowedFunctionNames: z.array(z.string()).nullish() })
    .nullish(),
})

const whole = z.number().int()

const generationConfig = z.looseObject({
  temperature: z.number().min(0).max(2).nullish(),
  topP: z.number().min(0).max(1).nullish(),
  topK: z.number().nullish(),
  candidateCount: whole.min(1).max(8).nullish(),
  maxOutputTokens: whole.positive().nullish(),
  stopSequences: z.array(z.string()).nullish(),
  seed: whole.nullish(),
  presencePenalty: z.number().nullish(),
  frequencyPenalty: z.number().nullish(),
  responseMimeType: z.string().nullish(),
  responseSchema: own.nullish(),
  responseJsonSchema: own.nullish(),
  responseModalities: z.array(z.string()).nullish(),
  responseLogprobs: z.boolean().nullish(),
  logprobs: whole.nullish(),
  mediaResolution: z.string().nullish(),
  speechConfig: z.looseObject({}).nullish(),
  imageConfig: z.looseObject({}).nullish(),
  thinkingConfig: z
    .looseObject({
      includeThoughts: z.boolean().nullish(),
      thinkingBudget: whole.nullish(),
      thinkingLevel: z.string().nullish(),
    })
    .nullish(),
})
export type GenerationConfig = z.infer<typeof generationConfig>

export const GeminiBody = z.looseObject({
  /** What the address says, put here as Google's own server does with the model: the connection takes both out again. */
  model: z.string().min(1),
  stream: z.boolean().nullish(),
  contents: z.array(content).min(1),
  systemInstruction: content.nullish(),
  tools: z.array(tool).nullish(),
  toolConfig: toolConfig.nullish(),
  generationConfig: generationConfig.nullish(),
  safetySettings: z.array(z.looseObject({ category: z.string(), threshold: z.string() })).nullish(),
  cachedContent: z.string().nullish(),
  serviceTier: z.string().nullish(),
  labels: z.record(z.string(), z.string()).nullish(),
})
export type GeminiBody = z.infer<typeof GeminiBody>

/** The names of the fields we know; others travel between equal protocols only. */
export const KNOWN_FIELDS = new Set(Object.keys(GeminiBody.shape))
export const KNOWN_SETTINGS = new Set(Object.keys(generationConfig.shape))
