# The recipes of `make run` and of what uses a kept run. They exit as their programs do: 0, 1 or 2. GNU make exits with 2
# whenever a recipe fails, but a make that is asked a question (-q) exits with 0 (nothing to do), 1 (something to do) or
# 2 (an error). So it is asked: a line that begins with + runs nevertheless and notes the exit code, of which the answer
# is then made.
run: ## Import a file on this machine; exit code 0, 1 or 2
drop: ## Drop FILE on the stack that make run KEEP=1 left, in FEED
watch: ## Follow the newest import there, or IMPORT
list: ## List the imports there
show: ## Show where the newest import there stands, or IMPORT
find: ## Show what became of the profile ID in all imports there
invoke: ## Invoke FUNCTION there with the event in EVENT, for IMPORT
logs: ## Print the end of its log
stop: ## End its processes and remove its folder

asked := run drop watch list show find invoke logs stop
goal := $(firstword $(filter $(asked),$(MAKECMDGOALS)))
ifneq (,$(goal))
MAKEFLAGS += -q
endif

.PHONY: $(asked) finished
code_file = .run/exit-code-$(shell echo $$PPID)
answer = $(if $(filter 0,$(1)),,$(if $(filter 1,$(1)),false,$(error make $(goal) could not do its work)))

$(asked): finished
	$(call answer,$(shell cat $(code_file); rm $(code_file)))

finished:
	+@mkdir -p .run; code=0; \
	(MAKEFLAGS=--no-print-directory $(MAKE) setup || exit 2; $(BIN)/python -m $(program)) || code=$$?; \
	echo $$code > $(code_file)

given = $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
quoted = '$(subst ','\'',$(1))'
option = $(if $(2),$(1) $(call quoted,$(2)))
options = $(call option,--file,$(FILE)) $(call option,--target,$(TARGET)) $(call option,--params,$(PARAMS)) \
	$(call option,--out,$(OUT)) $(call option,--feed,$(FEED)) $(call option,--failing,$(FAILING)) \
	$(call option,--dialect,$(DIALECT)) \
	$(if $(filter-out 0,$(KEEP)),--keep) $(call option,--variables,$(given))
program = $(if $(filter run,$(goal)),local.run $(options),local.commands $(goal) \
	$(foreach name,$(given),$(call quoted,$(name)=$($(name)))))
