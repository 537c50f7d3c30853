# The recipe of `make run`, which exits as the run does: 0, 1 or 2. GNU make exits with 2 whenever a recipe fails, but
# a make that is asked a question (-q) exits with 0 (nothing to do), 1 (something to do) or 2 (an error). So `run` is
# asked: a line that begins with + runs nevertheless and notes the exit code, of which the answer is then made.
ifeq (run,$(MAKECMDGOALS))
MAKEFLAGS += -q
endif

.PHONY: imported
code_file = .run/exit-code-$(shell echo $$PPID)
answer = $(if $(filter 0,$(1)),,$(if $(filter 1,$(1)),false,$(error the run could not take place)))

run: imported
	$(call answer,$(shell cat $(code_file); rm $(code_file)))

imported:
	+@mkdir -p .run; code=0; \
	(MAKEFLAGS=--no-print-directory $(MAKE) setup || exit 2; $(BIN)/python -m local.run $(options)) || code=$$?; \
	echo $$code > $(code_file)

quoted = '$(subst ','\'',$(1))'
option = $(if $(2),$(1) $(call quoted,$(2)))
options = $(call option,--file,$(FILE)) $(call option,--target,$(TARGET)) $(call option,--params,$(PARAMS)) \
	$(call option,--out,$(OUT)) $(call option,--feed,$(FEED)) $(call option,--failing,$(FAILING)) \
	$(call option,--dialect,$(DIALECT)) \
	$(if $(filter-out 0,$(KEEP)),--keep)
